import { UsageError } from '@waybill/client'
import t from 'tap'
import { hostOf, parseTarget } from '../dist/url.js'

const none = { user: undefined, password: undefined, vhost: undefined }

t.test('url - host alone takes the usual ports', async (t) => {
  t.same(parseTarget('waybill://localhost'), { host: 'localhost', port: 7670, tls: false, ...none })
  t.same(parseTarget('waybills://example.org'), { host: 'example.org', port: 7671, tls: true, ...none })
  t.same(parseTarget('waybill://localhost:7/'), { host: 'localhost', port: 7, tls: false, ...none })
})

t.test('url - user, password and virtual host are percent-decoded', async (t) => {
  const target = parseTarget('waybill://a%40b:p%3A%2F%C3%A9@h:1/v%2Fh')
  t.match(target, { user: 'a@b', password: 'p:/é', vhost: 'v/h' })
})

t.test('url - an IPv6 address stands in brackets', async (t) => {
  const target = parseTarget('waybill://[::1]:9')
  t.equal(target.host, '::1')
  t.equal(hostOf(target), '[::1]:9')
  t.equal(hostOf(parseTarget('waybill://h:9')), 'h:9')
})

t.test('url - an error never repeats the password', async (t) => {
  for (const text of [
    'waybill://ada:secret@',
    'waybill://ada:secret@h?x',
    'amqp://ada:secret@h',
    'waybill://ada:secret%zz@h',
    'waybill://ada:secret@h:99999',
  ]) {
    try {
      parseTarget(text)
      t.fail(text)
    } catch (error) {
      t.ok(error instanceof UsageError && error.code === 'URL_INVALID', text)
      t.notMatch((error as Error).message, /secret/)
    }
  }
})
