import t from 'tap'
import { readBody, serve, WebError } from '../dist/web.js'

async function site(t: import('tap').Test) {
  const server = await serve(0, {
    'POST /echo': async (request) => ({ status: 202, body: { size: (await readBody(request, 10)).length } }),
    'GET /files/': async (_, path) => ({ status: 200, body: Buffer.from(path) }),
    'GET /teapot': async () => {
      throw new WebError(418, 'I am one')
    },
  })
  t.teardown(() => server.close())
  return (path: string, options?: RequestInit) => fetch(`${server.url}${path}`, options)
}

t.test('web - a route is found by method and path', async (t) => {
  const ask = await site(t)
  const answer = await ask('/echo', { method: 'POST', body: 'hello' })
  t.same([answer.status, await answer.json()], [202, { size: 5 }])
  t.equal((await ask('/echo')).status, 404)
  t.equal((await ask('/echo/more', { method: 'POST' })).status, 404)
  t.equal(await (await ask('/files/a.png')).text(), '/files/a.png')
})

t.test('web - who sends too much or asks the wrong thing is told', async (t) => {
  const ask = await site(t)
  t.equal((await ask('/echo', { method: 'POST', body: 'x'.repeat(10) })).status, 202)
  t.equal((await ask('/echo', { method: 'POST', body: 'x'.repeat(11) })).status, 413)
  const answer = await ask('/teapot')
  t.same([answer.status, await answer.json()], [418, { error: 'I am one' }])
})
