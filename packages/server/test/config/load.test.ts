import { join } from 'node:path'
import t from 'tap'
import { ConfigError } from '../../dist/config/config-error.js'
import { type ConfigSources, loadConfig, outsideOptions } from '../../dist/config/load.js'
import { limitTable } from '../../dist/limits.js'

function load(sources: ConfigSources, files: Record<string, string> = {}) {
  return loadConfig(sources, { totalMemorySize: 8 * 2 ** 30, readText: (path) => files[path] })
}

function problemsOf(sources: ConfigSources, files: Record<string, string> = {}): string[] {
  try {
    load(sources, files)
  } catch (error) {
    if (error instanceof ConfigError) return error.message.split('\n')
    throw error
  }
  return []
}

t.test('load - flags win over the environment, which wins over the file', async (t) => {
  const files = {
    'w.json': '{ "$schema": "x", "listen": { "host": "127.0.0.1", "port": 1 }, "limits": { "queueCount": 10, "bindingCount": 20 } }',
  }
  const config = load(
    {
      file: 'w.json',
      environment: { WAYBILL_PORT: '2', WAYBILL_QUEUE_COUNT: '11', PATH: '/bin' },
      flags: { port: '3', log: 'json', host: undefined },
    },
    files,
  )
  t.same(config.listen, { host: '127.0.0.1', port: 3 })
  t.equal(config.limits.queueCount, 11)
  t.equal(config.limits.bindingCount, 20)
  t.equal(config.log, 'json')
})

t.test('load - files that the file names lie beside it; those named from outside, and PEM, are taken as they are', async (t) => {
  const pem = '-----BEGIN CERTIFICATE-----\n'
  const tls = (text: object): string => JSON.stringify({ tls: text })
  const files = {
    'etc/waybill/w.json': tls({ key: 'key.pem', cert: '../certs/cert.pem', ca: '/var/ca.pem' }),
    'w.json': tls({ key: './key.pem', cert: pem }),
  }
  t.same(load({ file: 'etc/waybill/w.json' }, files).tls, {
    key: join('etc/waybill', 'key.pem'),
    cert: join('etc/certs', 'cert.pem'),
    ca: '/var/ca.pem',
  })
  t.same(load({ file: 'w.json' }, files).tls, { key: 'key.pem', cert: pem })
  const outside = { file: 'etc/waybill/w.json', flags: { 'tls-key': 'own.pem' }, environment: { WAYBILL_TLS_CERT: 'mine.pem' } }
  t.same(load(outside, files).tls, { key: 'own.pem', cert: 'mine.pem', ca: '/var/ca.pem' })
  t.match(problemsOf({ file: 'w.json' }, { 'w.json': '{"tls": {"key": 5, "cert": null}}' }), [/^tls\.key: /, /^tls\.cert: /])
  t.match(problemsOf({ file: 'w.json' }, { 'w.json': '{"tls": 5}' }), [/^tls: /])
})

t.test('load - a port from outside opens a listener that the file had closed', async (t) => {
  t.same(load({ file: 'w.json', flags: { port: '5' } }, { 'w.json': '{"listen": false}' }).listen, { host: 'localhost', port: 5 })
})

t.test('load - every limit has a variable and a flag of its own', async (t) => {
  for (const name of Object.keys(limitTable)) t.equal(outsideOptions.filter((option) => option.path === `limits.${name}`).length, 1, name)
  t.equal(new Set(outsideOptions.map((option) => option.variable)).size, outsideOptions.length)
  t.equal(new Set(outsideOptions.map((option) => option.flag)).size, outsideOptions.length)
  const named = Object.fromEntries(outsideOptions.map(({ path, variable, flag }) => [path, `${variable} --${flag}`]))
  t.match(named, {
    'listen.host': 'WAYBILL_HOST --host',
    'listen.port': 'WAYBILL_PORT --port',
    'tls.key': 'WAYBILL_TLS_KEY --tls-key',
    'limits.memorySize': 'WAYBILL_MEMORY_SIZE --memory-size',
    allowPlaintext: 'WAYBILL_ALLOW_PLAINTEXT --allow-plaintext',
    vhosts: 'WAYBILL_VHOSTS --vhosts',
    log: 'WAYBILL_LOG --log',
  })
})

t.test('load - names, numbers and yes or no are read from text', async (t) => {
  const config = load({ environment: { WAYBILL_VHOSTS: 'a, b', WAYBILL_MEMORY_SIZE: '100000000', WAYBILL_ALLOW_PLAINTEXT: '0' } })
  t.same(config.vhosts, ['a', 'b'])
  t.equal(config.limits.memorySize, 100_000_000)
})

t.test('load - an empty variable is one that is not set', async (t) => {
  t.same(load({ environment: { WAYBILL_PORT: '', WAYBILL_HOST: '' } }).listen, { host: 'localhost', port: 7670 })
})

t.test('load - problems say where it was said', async (t) => {
  const files = { 'w.json': '{ "listen": { "port": "x" }, "limits": { "queueCount": -1 } }' }
  t.same(problemsOf({ file: 'w.json', environment: { WAYBILL_FRAME_MS: 'long' }, flags: { log: 'xml' } }, files), [
    'listen.port: must be a whole number from 0 to 65535, found "x"; change it, or leave it out for 7670 (w.json)',
    'limits.queueCount: must be a whole number from 1 to 10000000, found -1; change it, or leave it out for 100000 (w.json)',
    'limits.frameMs: must be a whole number from 100 to 600000, found "long"; change it, or leave it out for 30000 (WAYBILL_FRAME_MS)',
    'log: must be one of "json", "text", "none", found "xml"; change it, or leave it out for "text" (--log)',
  ])
})

t.test('load - unknown flags and variables are errors that name the one that was meant', async (t) => {
  t.same(problemsOf({ flags: { prot: '1' } }), ['--prot must be a known flag, found another; did you mean --port? (flags)'])
  t.match(problemsOf({ flags: { colour: '1' } })[0], /there are --host, --port, /)
  t.same(problemsOf({ environment: { WAYBILL_PROT: '1' } }), [
    'WAYBILL_PROT must be a known variable, found another; did you mean WAYBILL_PORT? (environment)',
  ])
  t.match(problemsOf({ flags: { port: true } })[0], /^listen.port: must have a value, found none; write --port VALUE \(--port\)$/)
})

t.test('load - variables of others are a warning', async (t) => {
  const { warnings } = load({ environment: { WAYBILL_SERVICE_HOST: '10.0.0.1', WAYBILL_URL: 'waybill://x' } })
  t.match(warnings, [/no users/, /WAYBILL_SERVICE_HOST/, /WAYBILL_URL/])
})

t.test('load - what Kubernetes sets for a service named waybill is recognised', async (t) => {
  t.match(
    problemsOf({ environment: { WAYBILL_PORT: 'tcp://10.3.2.1:7670' } })[0],
    /^listen.port: .*Kubernetes.*enableServiceLinks.*\(WAYBILL_PORT\)$/,
  )
})

t.test('load - a file that is missing, not JSON, or not an object is named, with the place', async (t) => {
  t.match(problemsOf({ file: 'no.json' })[0], /found none; check its path \(no.json\)$/)
  t.match(
    problemsOf({ file: 'w.json' }, { 'w.json': '{\n  "listen": {,}\n}' })[0],
    /must be JSON, found .* in line 2, column 14; mend it there \(w.json\)$/,
  )
  t.match(problemsOf({ file: 'w.json' }, { 'w.json': '{' })[0], /must be JSON, found/)
  for (const text of ['[]', 'null', '7670']) t.match(problemsOf({ file: 'w.json' }, { 'w.json': text })[0], /must be an object/)
  t.match(problemsOf({ file: 'w.json' }, { 'w.json': '{"__proto__": {"listen": 1}}' })[0], /__proto__: must be a known option/)
  t.same(problemsOf({ file: 'w.json' }, { 'w.json': '\uFEFF{}' }), [])
})

t.test('load - everything that is wrong is told at once', async (t) => {
  t.equal(problemsOf({ file: 'w.json', environment: { WAYBILL_PROT: '1' }, flags: { hots: 'x' } }, { 'w.json': '{"limts": {}}' }).length, 3)
})

t.test('load - a data directory is a text from outside, and none says that nothing is kept', async (t) => {
  const machine = { totalMemorySize: 2 ** 33, readText: () => '{ "data": "from the file" }' }
  t.equal(loadConfig({ file: 'f' }, machine).data, 'from the file')
  t.equal(loadConfig({ file: 'f', environment: { WAYBILL_DATA: './data' } }, machine).data, './data')
  t.equal(loadConfig({ file: 'f', environment: { WAYBILL_DATA: './data' }, flags: { data: 'none' } }, machine).data, false)
})
