import t from 'tap'
import { compareResults } from '../dist/compare.js'
import { resultsOf, throughput } from './sample-results.js'

const runs = (...rates: number[]) => rates.map((rate, index) => throughput('waybill', rate, 1, index + 1))
const line = (text: string) => text.split('\n').find((candidate) => candidate.includes('delivered msg/s')) ?? ''

t.test('compare - ranges that do not overlap are better or worse', async (t) => {
  const better = line(compareResults(resultsOf(...runs(100, 110, 120)), resultsOf(...runs(130, 140, 150))))
  t.match(better, /\+27\.3 %/)
  t.match(better, /better/)
  t.match(line(compareResults(resultsOf(...runs(130, 140)), resultsOf(...runs(100, 110)))), /worse/)
})

t.test('compare - ranges that overlap, and single runs, are left without a verdict', async (t) => {
  t.notMatch(line(compareResults(resultsOf(...runs(100, 110)), resultsOf(...runs(109, 150)))), /better|worse/)
  t.notMatch(line(compareResults(resultsOf(...runs(100)), resultsOf(...runs(200)))), /better|worse/)
})

t.test('compare - results of different machines carry a warning', async (t) => {
  const other = { ...resultsOf(...runs(100)), machine: { cpu: 'Slide rule' } }
  t.match(compareResults(resultsOf(...runs(100)), other), /Not the same machine/)
  t.notMatch(compareResults(resultsOf(...runs(100)), resultsOf(...runs(100))), /Not the same machine/)
})
