import { connect } from '@waybill/client'
import t from 'tap'
import { failure } from '../support/fake-broker.js'

t.test('embedded - something that is no broker is a mistake', async (t) => {
  const error = await failure(connect({ connect: () => 7 }, { log: () => {} }))
  t.match(error, { code: 'BROKER_INVALID' })
})

t.test('embedded - a broker that ends is a lost connection', async (t) => {
  const peer = {
    onClose: (_reason?: unknown) => {},
    onBytes: () => {},
    write: () => setImmediate(() => peer.onClose(new Error('gone'))),
    end: () => {},
    destroy: () => {},
  }
  const error = await failure(connect({ connect: () => peer }, { connectTimeoutMs: 100, log: () => {} }))
  t.equal(error.code, 'CONNECT_FAILED')
  t.match(error.message, /gone/)
})
