/** A virtual host as it is kept. */
import type { BindingJson, DurableHost } from './durable.js'
import { bindingJson, exchangeJson, isKept, queueJson } from './kept.js'
import type { VirtualHost } from './virtual-host.js'

/** All that is durable in a virtual host. */
export function durableHost({ name, exchanges, queues }: VirtualHost): DurableHost {
  const kept = [...exchanges.values()].filter(({ options }) => options.durable)
  const bindings: BindingJson[] = []
  for (const source of kept) {
    for (const binding of source.matcher.bindings()) if (isKept(source, binding.target)) bindings.push(bindingJson(source, binding))
  }
  return {
    name,
    exchanges: kept.map(exchangeJson),
    queues: [...queues.values()]
      .filter(({ keptId }) => keptId !== 0)
      .map((queue) => ({ ...queueJson(queue), runs: [...queue.keptRuns()] })),
    bindings,
  }
}
