/** One fault that the shim makes: a scenario whose broker, each time that it is started, is started with it. */
import { join } from 'node:path'
import { scenario } from './scenario.mjs'
import { Shim } from './shim.mjs'

/** As `scenario`; the body gets the `shim` as well. */
export function shimScenario(context, options, body) {
  let shim
  const env = {}
  const place = async (home, closing) => {
    const data = join(home, 'data')
    shim = new Shim(home, data)
    closing.add(() => shim.close())
    Object.assign(env, shim.env)
    return data
  }
  return scenario(context, { ...options, env, place }, (parts) => body({ ...parts, shim }))
}
