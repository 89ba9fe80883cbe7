import t from 'tap'
import { readTarget, targetText } from '../../dist/debug/target.js'

t.test('target - hosts and ports as people type them', async (t) => {
  const plain: [text: string, host: string, port: number][] = [
    ['localhost', 'localhost', 7670],
    ['broker.example:7671', 'broker.example', 7671],
    ['7671', 'localhost', 7671],
    [':7671', 'localhost', 7671],
    ['127.0.0.1:1', '127.0.0.1', 1],
    ['[::1]:65535', '::1', 65_535],
    ['[::1]', '::1', 7670],
  ]
  for (const [text, host, port] of plain) t.same(readTarget(text), { host, port, tls: false }, text)
})

t.test('target - URLs have user, password and virtual host too, percent-decoded', async (t) => {
  t.same(readTarget('waybill://localhost'), { host: 'localhost', port: 7670, tls: false })
  t.same(readTarget('waybill://localhost:80'), { host: 'localhost', port: 80, tls: false })
  t.same(readTarget('WAYBILLS://broker.example:7671/'), { host: 'broker.example', port: 7671, tls: true })
  t.same(readTarget('waybill://ada:p%40ss@[::1]:7671/in%20voices'), {
    host: '::1',
    port: 7671,
    tls: false,
    user: 'ada',
    password: 'p@ss',
    vhost: 'in voices',
  })
})

t.test('target - what is no address is none', async (t) => {
  for (const text of [
    'a:b',
    'a:0',
    'a:65536',
    'http://a',
    'a b',
    '[::1',
    'waybill://',
    'waybill://a:99999',
    'waybill://a/%ff',
    'waybill://a?b=c',
    '::1:7670',
  ]) {
    t.equal(readTarget(text), undefined, text)
  }
})

t.test('target - is written as it would be typed', async (t) => {
  t.equal(targetText({ host: 'a', port: 1 }), 'a:1')
  t.equal(targetText({ host: '::1', port: 1 }), '[::1]:1')
})
