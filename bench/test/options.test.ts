import t from 'tap'
import { parseOptions } from '../dist/options.js'

t.test('options - without any, everything runs once', async (t) => {
  const options = parseOptions([])
  if (options === 'help') return t.fail('help was not asked for')
  t.equal(options.workloads.length, 15)
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

t.test('options - what takes long runs when it is asked for, by --large or by its full name', async (t) => {
  const chosen = (...args: string[]) => {
    const options = parseOptions(args)
    return options === 'help' ? [] : options.workloads.map((workload) => workload.name)
  }
  const rest = ['durable-16', 'durable-1k', 'durable-64k', 'durable-latency', 'durable-backlog-1m']
  t.same(chosen('--only', 'durable'), rest)
  t.same(chosen('--only', 'durable', '--large'), [...rest, 'durable-backlog-10m'])
  t.same(chosen('--only', 'durable-backlog-10m'), ['durable-backlog-10m'])
  t.equal(chosen('--large').length, 16)
})

t.test('options - what is wrong is named', async (t) => {
  t.throws(() => parseOptions(['--only', 'fast']), { message: "no workload 'fast'" })
  t.throws(() => parseOptions(['--peers', 'abacus']), { message: /^no peer 'abacus'; there are waybill, / })
  t.throws(() => parseOptions(['--runs', '0']), { message: "--runs is a count from 1 up, not '0'" })
  t.throws(() => parseOptions(['--fast']), { message: /--fast/ })
})
