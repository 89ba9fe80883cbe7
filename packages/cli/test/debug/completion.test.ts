import t from 'tap'
import { commands } from '../../dist/debug/commands.js'
import { complete } from '../../dist/debug/completion.js'

const names = { exchange: new Set(['orders', 'events', 'with space']), queue: new Set(['emails', 'errors']) }
const after = (line: string) => complete(commands, names, line)

t.test('completion - an empty line offers every command once', async (t) => {
  const [candidates, word] = after('')
  t.equal(word, '')
  t.equal(new Set(candidates).size, candidates.length)
  for (const first of ['declare ', 'publish ', 'help ', 'quit ']) t.ok(candidates.includes(first), first)
})

t.test('completion - a command, its second word, and names where names stand', async (t) => {
  t.same(after('dec'), [['declare '], 'dec'])
  t.same(after('declare '), [['exchange ', 'queue '], ''])
  t.same(after('declare q'), [['queue '], 'q'])
  t.same(after('purge e'), [['emails ', 'errors '], 'e'])
  t.same(after('publish o'), [['orders '], 'o'])
  t.same(after('bind emails o'), [['orders '], 'o'])
  t.same(after('check queue em'), [['emails '], 'em'])
})

t.test('completion - a command that also begins another offers both', async (t) => {
  t.same(after('bind e'), [['emails ', 'errors ', 'exchange '], 'e'])
})

t.test('completion - words of a choice, and options once the needed places are filled', async (t) => {
  t.same(after('declare exchange orders '), [['direct ', 'fanout ', 'headers ', 'topic '], ''])
  t.same(after('consume emails p'), [['prefetch=', 'prefetchSize=', 'priority='], 'p'])
  t.same(after('consume p'), [[], 'p'])
  t.same(after('consume emails ack='), [['ack=manual ', 'ack=none '], 'ack='])
  t.same(after('consume emails ack=n'), [['ack=none '], 'ack=n'])
  t.same(after('declare exchange x topic alternate=e'), [['alternate=events '], 'alternate=e'])
  t.same(after('publish orders k h'), [['header.', 'hex='], 'h'])
  t.same(after('hex o'), [['off ', 'on '], 'o'])
  t.same(after('help pub'), [['publish '], 'pub'])
})

t.test('completion - where nothing is known, or inside a quote, nothing is offered', async (t) => {
  t.same(after('dance '), [[], ''])
  t.same(after('send emails "some te'), [[], 'te'])
  t.same(after('consume emails nothing=x'), [[], 'nothing=x'])
  t.same(after('publish w'), [[], 'w'], 'a name with a space would need quotes')
})
