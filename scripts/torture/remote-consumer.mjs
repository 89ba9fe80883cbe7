/** A consumer in a process of its own, which can be held and ended. Run as a program it is that process; it tells its parent what it sees. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { connect } from '@waybill/client'
import { readBody } from './body.mjs'
import { Consumer } from './consumer.mjs'
import { connectOptions } from './load.mjs'
import { Random } from './random.mjs'

const self = fileURLToPath(import.meta.url)

export class RemoteConsumer {
  #child
  #args
  #queue
  #told
  #orders = new Map()

  /** `told` as of a Consumer. */
  constructor(url, queue, told, seed) {
    this.#args = [url, queue, String(seed)]
    this.#queue = queue
    this.#told = told
  }

  async start() {
    this.#child = fork(self, this.#args, { serialization: 'advanced' })
    this.#child.on('message', (message) => this.#heard(message))
    await once(this.#child, 'message')
  }

  signal(name) {
    this.#child?.kill(name)
  }

  async kill() {
    if (this.#child === undefined || this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const ended = once(this.#child, 'close')
    this.#child.kill('SIGKILL')
    await ended
  }

  #heard({ what, message, said, reason }) {
    if (what === 'delivered') this.#told.delivered(this.#queue, { ...message, content: Buffer.from(message.content) }, this.#orders, true)
    else if (what === 'acked') this.#told.acked(this.#queue, said)
    else if (what === 'answered') this.#told.answered(this.#queue, said)
    else if (what === 'ended') this.#told.ended(this.#queue, reason)
  }
}

async function main(url, queue, seed) {
  const tell = (message) => process.send(message)
  const consumer = new Consumer({
    connection: await connect(url, connectOptions),
    queue,
    random: new Random(Number(seed)),
    told: {
      delivered: (_queue, { content, redelivered, id }) => {
        tell({ what: 'delivered', message: { content, redelivered, id } })
        return readBody(content)
      },
      // What the system has will be read, even when this process has ended.
      acked: (_queue, said) => new Promise((resolve) => process.send({ what: 'acked', said }, resolve)),
      answered: (_queue, said) => tell({ what: 'answered', said }),
      ended: (_queue, reason) => tell({ what: 'ended', reason }),
    },
  })
  process.once('disconnect', () => process.exit())
  await consumer.start()
  tell({ what: 'started' })
}

if (process.argv[1] === self) await main(...process.argv.slice(2))
