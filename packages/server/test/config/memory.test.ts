import t from 'tap'
import { memoryBudget } from '../../dist/config/memory.js'

const GiB = 2 ** 30

function budget(totalMemorySize: number, files: Record<string, string>): number {
  return memoryBudget({ totalMemorySize, readText: (path) => (Object.hasOwn(files, path) ? files[path] : undefined) })
}

t.test('memory - a quarter of the machine where nothing limits it', async (t) => {
  t.equal(budget(8 * GiB, {}), 2 * GiB)
  t.equal(budget(8 * GiB, { '/proc/self/cgroup': '0::/\n', '/sys/fs/cgroup/memory.max': 'max\n' }), 2 * GiB)
})

t.test('memory - a quarter of what the group allows, version 2', async (t) => {
  t.equal(budget(8 * GiB, { '/proc/self/cgroup': '0::/app/waybill\n', '/sys/fs/cgroup/app/waybill/memory.max': `${2 * GiB}\n` }), GiB / 2)
})

t.test('memory - the least that any group above allows', async (t) => {
  const files = {
    '/proc/self/cgroup': '0::/a/b/c\n',
    '/sys/fs/cgroup/a/b/c/memory.max': 'max\n',
    '/sys/fs/cgroup/a/b/memory.max': `${4 * GiB}\n`,
    '/sys/fs/cgroup/a/memory.max': `${GiB}\n`,
  }
  t.equal(budget(64 * GiB, files), GiB / 4)
})

t.test('memory - inside a container its own group is the top of the tree', async (t) => {
  t.equal(budget(64 * GiB, { '/proc/self/cgroup': '0::/docker/1f0c\n', '/sys/fs/cgroup/memory.max': `${GiB}\n` }), GiB / 4)
  t.equal(budget(64 * GiB, { '/proc/self/cgroup': '0::/../..\n', '/sys/fs/cgroup/memory.max': `${GiB}\n` }), GiB / 4)
})

t.test('memory - a quarter of what the group allows, version 1', async (t) => {
  const files = {
    '/proc/self/cgroup': '12:cpu,cpuacct:/docker/9\n4:memory:/docker/1f0c\n1:name=systemd:/x\n0::/system.slice\n',
    '/sys/fs/cgroup/memory/docker/1f0c/memory.limit_in_bytes': `${2 * GiB}\n`,
    '/sys/fs/cgroup/memory/memory.limit_in_bytes': '9223372036854771712\n',
  }
  t.equal(budget(64 * GiB, files), GiB / 2)
})

t.test('memory - never less than 64 MiB, and never less for nonsense', async (t) => {
  t.equal(budget(128 << 20, {}), 64 << 20)
  for (const text of ['', 'many', '-1', '0'])
    t.equal(budget(8 * GiB, { '/proc/self/cgroup': '0::/\n', '/sys/fs/cgroup/memory.max': text }), 2 * GiB)
})
