import { readFileSync } from 'node:fs'
import t from 'tap'
import { version } from '../dist/version.js'

t.test('version - the client says what its package says', async (t) => {
  const { version: expected } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
  t.equal(version, expected)
})
