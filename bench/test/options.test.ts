import t from 'tap'
import { parseOptions } from '../dist/options.js'

t.test('options - without any, everything runs once', async (t) => {
  const options = parseOptions([])
  if (options === 'help') return t.fail('help was not asked for')
  t.equal(options.workloads.length, 10)
  t.equal(options.peers[0], 'waybill')
  t.equal(options.runs, 1)
})

t.test('options - a workload is chosen by its name, several by how they begin', async (t) => {
  const chosen = (only: string) => {
    const options = parseOptions(['--only', only])
    return options === 'help' ? [] : options.workloads.map((workload) => workload.name)
  }
  t.same(chosen('transient-16'), ['transient-16'])
  t.same(chosen('transient,idle'), ['transient-16', 'transient-128', 'transient-1k', 'transient-64k', 'idle-2000'])
})

t.test('options - what is wrong is named', async (t) => {
  t.throws(() => parseOptions(['--only', 'fast']), { message: "no workload 'fast'" })
  t.throws(() => parseOptions(['--peers', 'abacus']), { message: /^no peer 'abacus'; there are waybill, / })
  t.throws(() => parseOptions(['--runs', '0']), { message: "--runs is a count from 1 up, not '0'" })
  t.throws(() => parseOptions(['--fast']), { message: /--fast/ })
})
