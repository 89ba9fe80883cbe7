import t from 'tap'
import { ErrorCode, errorByCode, type ErrorName, WireError } from '@waybill/protocol'
import { readSpec, readSpecJson } from './spec.js'

interface Row {
  readonly code: number
  readonly name: ErrorName
  readonly scope: string
  readonly retryable: boolean
  readonly when: string
}

const { errors } = readSpecJson<{ errors: Row[] }>('errors.json')

t.test('errors - the table is that of spec/errors.json', async (t) => {
  const ofSpec = errors.map(({ when: _, ...row }) => row)
  const ofCode = Object.entries(ErrorCode).map(([name, { code, scope, retryable }]) => ({ code, name, scope, retryable }))
  t.same(ofCode, ofSpec, 'in the order of their numbers')
  t.equal(new Set(ofCode.map(({ code }) => code)).size, ofCode.length, 'no number twice')
})

t.test('errors - the table is that of clause 8.1', async (t) => {
  const rows = [...readSpec('protocol.md').matchAll(/^\| (\d{3}) \| `(\w+)` \| (\w+) \| (yes|no) \| (.+) \|$/gm)]
  const ofDocument = rows.map(([, code, name, scope, retryable, when]) => ({
    code: Number(code),
    name,
    scope,
    retryable: retryable === 'yes',
    when,
  }))
  t.same(ofDocument, errors)
})

t.test('errors - each is found by its number', async (t) => {
  for (const { code, name, scope, retryable } of errors) t.same(errorByCode(code), { code, name, scope, retryable })
  t.equal(errorByCode(0), undefined)
  t.equal(errorByCode(499), undefined)
})

t.test('errors - a WireError has the name of an error and its details', async (t) => {
  const error = new WireError('nameTooLong', 'too long', { limit: 'nameSizeMax' })
  t.ok(error instanceof Error)
  t.match(error, { name: 'WireError', code: 'nameTooLong', message: 'too long', details: { limit: 'nameSizeMax' } })
})
