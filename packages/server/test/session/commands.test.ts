import { type FrameName, frameKinds, wireName } from '@waybill/protocol'
import t from 'tap'
import { UserAccess } from '../../dist/auth/authenticator.js'
import { hashPassword } from '../../dist/auth/passwords.js'
import { Users } from '../../dist/auth/users.js'
import type { Verb } from '../../dist/session/access.js'
import { commandOf } from '../../dist/session/commands.js'
import { Stage } from '../stage/stage.js'

type Right = `${Verb} ${string}`

interface Row {
  readonly command: string
  readonly json: object
  /** Every one of these is needed; nothing else is. */
  readonly needs: readonly Right[]
  /** Any one of these is enough. */
  readonly anyOf?: readonly Right[]
}

/** Every command, what it needs, and on what. */
const rows: readonly Row[] = [
  { command: 'DECLARE_EXCHANGE', json: { exchange: 'new', type: 'fanout' }, needs: ['configure new'] },
  {
    command: 'DECLARE_EXCHANGE',
    json: { exchange: 'new', type: 'fanout', alternate: 'e' },
    needs: ['configure new', 'read new', 'write e'],
  },
  { command: 'CHECK_EXCHANGE', json: { exchange: 'e' }, needs: [], anyOf: ['configure e', 'read e', 'write e'] },
  { command: 'DELETE_EXCHANGE', json: { exchange: 'e' }, needs: ['configure e'] },
  { command: 'BIND_EXCHANGE', json: { source: 'e', target: 'f' }, needs: ['read e', 'write f'] },
  { command: 'UNBIND_EXCHANGE', json: { source: 'e', target: 'f' }, needs: ['read e', 'write f'] },
  { command: 'DECLARE_QUEUE', json: { queue: 'new' }, needs: ['configure new'] },
  { command: 'DECLARE_QUEUE', json: { queue: 'q' }, needs: ['configure q'] },
  { command: 'DECLARE_QUEUE', json: {}, needs: ['configure wb.*'] },
  { command: 'CHECK_QUEUE', json: { queue: 'q' }, needs: [], anyOf: ['configure q', 'read q', 'write q'] },
  { command: 'CHECK_QUEUE', json: { queue: 'missing' }, needs: [], anyOf: ['configure missing', 'read missing', 'write missing'] },
  { command: 'DELETE_QUEUE', json: { queue: 'q' }, needs: ['configure q'] },
  { command: 'PURGE_QUEUE', json: { queue: 'q' }, needs: ['read q'] },
  { command: 'BIND_QUEUE', json: { queue: 'q', exchange: 'e' }, needs: ['read e', 'write q'] },
  { command: 'UNBIND_QUEUE', json: { queue: 'q', exchange: 'e' }, needs: ['read e', 'write q'] },
  { command: 'CONSUME', json: { consumer: 1, queue: 'q' }, needs: ['read q'] },
  { command: 'GET', json: { consumer: 1, queue: 'q' }, needs: ['read q'] },
  { command: 'CANCEL', json: { consumer: 9 }, needs: [] },
  { command: 'LIST', json: { kind: 'queues' }, needs: ['monitor' as Right] },
]

/** Each resource is known with each of the rights that there are. */
const resources = [
  ...new Set(rows.flatMap(({ needs, anyOf = [] }) => [...needs, ...anyOf]).map((right) => right.split(' ')[1] ?? '')),
].filter((name) => name !== '')
const everyRight: readonly Right[] = [
  ...resources.flatMap((name) => (['configure', 'write', 'read'] as const).map((verb) => `${verb} ${name}` as Right)),
  'monitor' as Right,
]

const passwordHash = await hashPassword('secret', { cost: 2 })

function accessWith(rights: readonly Right[]): UserAccess {
  const patterns = (verb: Verb) => rights.filter((right) => right.startsWith(`${verb} `)).map((right) => right.slice(verb.length + 1))
  const permissions = { configure: patterns('configure'), write: patterns('write'), read: patterns('read') }
  const users = new Users([{ name: 'ada', passwordHash, permissions, monitor: rights.includes('monitor' as Right) }])
  return new UserAccess(users.find('ada')!.user)
}

/** Carries the command out as a user with these rights, on things that are there. */
function isForbidden({ command, json }: Row, rights: readonly Right[]): boolean {
  const access = accessWith(rights)
  const stage = new Stage({ authenticator: { check: ({ user }, done) => done(user === 'ada' ? access : accessWith(everyRight)) } })
  const owner = stage.connect().open()
  for (const exchange of ['e', 'f']) owner.request('DECLARE_EXCHANGE', 1, { exchange, type: 'fanout' })
  owner.request('DECLARE_QUEUE', 1, { queue: 'q' })
  const peer = stage.connect().open(1, { user: 'ada', password: 'secret' })
  const answer = peer.request(command, command === 'LIST' ? 0 : 1, json)
  return answer.name === 'forbidden'
}

t.test('commands - the table names every request of a client that does something', async (t) => {
  const asked = new Set(rows.map(({ command }) => command))
  const free = new Set<FrameName>(['hello', 'open', 'close'])
  for (const { name, type, from, body } of frameKinds) {
    if (from !== 'client' || body !== 'json' || free.has(name)) continue
    t.ok(asked.has(wireName(name)), wireName(name))
    t.equal(commandOf(type), name === 'list' ? undefined : name)
  }
})

t.test('commands - without any right everything is denied', async (t) => {
  for (const row of rows) {
    if (row.command === 'CANCEL') continue
    t.ok(isForbidden(row, []), `${row.command} ${JSON.stringify(row.json)}`)
  }
})

t.test('commands - with what a command needs it is allowed, with all but one of that it is denied', async (t) => {
  for (const row of rows) {
    const { command, json, needs, anyOf } = row
    const what = `${command} ${JSON.stringify(json)}`
    for (const right of anyOf ?? []) t.notOk(isForbidden(row, [right]), `${what} with ${right}`)
    if (anyOf === undefined) t.notOk(isForbidden(row, needs), `${what} with ${needs.join(', ')}`)
    for (const missing of needs) {
      const rights = everyRight.filter((right) => right !== missing)
      t.ok(isForbidden(row, rights), `${what} without ${missing}`)
    }
    const others = everyRight.filter((right) => !(anyOf ?? []).includes(right))
    if (anyOf !== undefined) t.ok(isForbidden(row, others), `${what} without any of ${anyOf.join(', ')}`)
  }
})

t.test('commands - what a user may not see is denied whether it is there or not', async (t) => {
  const texts = ['there', 'missing'].map((queue) => {
    const stage = new Stage({ authenticator: { check: (_, done) => done(accessWith([])) } })
    stage.turn.broker.makeQueue(
      stage.turn.broker.virtualHosts.get('default')!,
      'there',
      { durable: false, exclusive: false, autoDelete: false, expiresMs: undefined },
      0,
    )
    const { message } = stage.connect().open().request('CHECK_QUEUE', 1, { queue })
    return String(message).replaceAll(queue, '*')
  })
  t.equal(texts[0], texts[1])
})

t.test('commands - names that a program could stumble over are names like others', async (t) => {
  const stage = new Stage()
  const peer = stage.connect().open()
  for (const name of [
    '__proto__',
    'constructor',
    'toString',
    'hasOwnProperty',
    '',
    ' ',
    '\0',
    '*',
    '#',
    '../../etc/passwd',
    'é'.repeat(127),
  ]) {
    if (name !== '') {
      t.match(peer.request('DECLARE_EXCHANGE', 1, { exchange: name, type: 'topic' }), { created: true }, JSON.stringify(name))
      t.match(peer.request('DECLARE_QUEUE', 1, { queue: name }), { queue: name, created: true })
      t.match(peer.request('BIND_QUEUE', 1, { queue: name, exchange: name, key: name }), { created: true })
      peer.publish(1, { exchange: name, routingKey: name }, ['x'])
    } else peer.publish(1, '', ['x'])
    peer.heard()
  }
  t.match(peer.request('CHECK_QUEUE', 1, { queue: '__proto__' }), { messageCount: 1 })
  t.match(peer.request('CHECK_QUEUE', 1, { queue: 'valueOf' }), { name: 'notFound' })
  t.same(Object.keys({}), [])
  stage.turn.invariants()
})

t.test(
  'commands - what was not allowed is told to everybody who reads the log, what was done to those who want to see everything',
  async (t) => {
    const stage = new Stage({ authenticator: { check: (_, done) => done(accessWith(['configure mine', 'write mine'])) } })
    const peer = stage.connect().open()
    peer.request('DECLARE_QUEUE', 1, { queue: 'mine' })
    peer.request('DECLARE_QUEUE', 1, { queue: 'mine', autoDelete: true })
    peer.request('DECLARE_QUEUE', 1, { queue: 'yours' })
    peer.publish(1, 'yours', ['x', 'y'])
    t.match(stage.logged('request'), [{ level: 'debug', command: 'declareQueue', connection: 1, channel: 1 }])
    t.match(stage.logged('request-refused'), [{ level: 'debug', command: 'declareQueue', error: 'preconditionFailed' }])
    t.match(stage.logged('request-forbidden'), [
      { level: 'warn', command: 'declareQueue', user: 'ada', message: /may not configure queue 'yours'/ },
    ])
    t.match(stage.logged('publish-forbidden'), [{ level: 'warn', user: 'ada', message: /may not write to queue 'yours'/ }])
  },
)

t.test('commands - a refused HELLO is told with who said it was', async (t) => {
  const stage = new Stage({
    authenticator: { check: ({ user }, done) => done(user === 'ada' ? accessWith([]) : 'user or password is wrong') },
  })
  stage.connect().hello({ user: 'eve', password: 'x' })
  stage.connect().hello({ user: 'ada', password: 'x', vhost: 'nowhere' })
  stage.connect().hello({ colour: 'red' })
  t.match(stage.logged('authentication-failed'), [
    { level: 'warn', user: 'eve' },
    { level: 'warn', user: 'ada', vhost: 'nowhere' },
  ])
  t.match(stage.logged('connection-refused'), [{ level: 'warn', error: 'optionUnsupported' }])
  t.notMatch(JSON.stringify(stage.log), /"password"/)
})
