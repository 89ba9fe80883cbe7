/**
 * The two ends of a role process. The parent calls its functions by name (`ask`); the child answers, or the call
 * rejects with the child's error. A child that dies takes its open questions with it.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'

type Functions<R> = { [K in keyof R]: (...rest: never[]) => Promise<unknown> }

interface Question {
  readonly id: number
  readonly name: string
  readonly argument: unknown
}
type Reply = { readonly id: number; readonly answer: unknown } | { readonly id: number; readonly error: string }

/** For profiles: `BENCH_CLIENT_NODE_ARGS=--cpu-prof`. */
const nodeArguments = process.env.BENCH_CLIENT_NODE_ARGS?.split(' ') ?? []
const exitMsMax = 5_000

const children = new Set<ChildProcess>()
process.once('exit', () => {
  for (const child of children) child.kill('SIGKILL')
})

export class RoleProcess<R extends Functions<R>> {
  readonly #child: ChildProcess
  readonly #name: string
  readonly #exited: Promise<void>
  readonly #open = new Map<number, { resolve: (value: never) => void; reject: (error: Error) => void }>()
  #asked = 0
  #gone: Error | undefined

  constructor(name: 'producer' | 'consumer' | 'latency' | 'idle' | 'filler' | 'drainer') {
    this.#name = name
    this.#child = fork(fileURLToPath(new URL(`./${name}.js`, import.meta.url)), { execArgv: nodeArguments })
    children.add(this.#child)
    this.#exited = new Promise((resolve) => this.#child.once('exit', () => resolve()))
    this.#child.on('message', (reply: Reply) => this.#settle(reply))
    this.#child.once('exit', (code, signal) => {
      children.delete(this.#child)
      this.#fail(new Error(`the ${name} ended (${code ?? signal})`))
    })
    this.#child.once('error', (error) => this.#fail(error))
  }

  get pid(): number {
    return this.#child.pid as number
  }

  ask<K extends keyof R & string>(name: K, ...rest: Parameters<R[K]>): Promise<Awaited<ReturnType<R[K]>>> {
    if (this.#gone !== undefined) return Promise.reject(this.#gone)
    const id = ++this.#asked
    return new Promise((resolve, reject) => {
      this.#open.set(id, { resolve, reject })
      this.#child.send({ id, name, argument: rest[0] } satisfies Question)
    })
  }

  /** The process ends when its parent leaves; one that does not within 5 s is killed. */
  async stop(): Promise<void> {
    if (this.#child.connected) this.#child.disconnect()
    const late = setTimeout(() => this.#child.kill('SIGKILL'), exitMsMax)
    await this.#exited
    clearTimeout(late)
  }

  #settle(reply: Reply): void {
    const open = this.#open.get(reply.id)
    this.#open.delete(reply.id)
    if ('error' in reply) open?.reject(new Error(`${this.#name}: ${reply.error}`))
    else open?.resolve(reply.answer as never)
  }

  #fail(error: Error): void {
    this.#gone = error
    for (const open of this.#open.values()) open.reject(error)
    this.#open.clear()
  }
}

/** Called once by each role's file. The process ends with its parent. */
export function serveRole<R extends Functions<R>>(functions: R): void {
  const answer = (reply: Reply) => process.send?.(reply)
  process.on('message', async ({ id, name, argument }: Question) => {
    try {
      answer({ id, answer: await functions[name as keyof R](...([argument] as never[])) })
    } catch (error) {
      answer({ id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) })
    }
  })
  process.once('disconnect', () => process.exit(0))
}
