import { DeclareError, PublishError, RejectError, RetryError, WaybillError } from '@waybill/client'
import { ErrorCode, type ErrorName } from '@waybill/protocol'
import t from 'tap'
import { codeOfName, codeOfNumber, errorOfBody, refusalOf } from '../dist/errors.js'

t.test('errors - every error of the specification has a code in capitals', async (t) => {
  for (const name of Object.keys(ErrorCode) as ErrorName[]) {
    t.match(codeOfName(name), /^[A-Z]+(_[A-Z]+)*$/)
    t.equal(codeOfNumber(ErrorCode[name].code), codeOfName(name))
  }
  t.equal(codeOfName('preconditionFailed'), 'PRECONDITION_FAILED')
  t.equal(codeOfNumber(999), 'ERROR_999', 'one of a later version')
})

t.test('errors - a declare that differs says what differs', async (t) => {
  const differences = [{ option: 'durable', wanted: true, actual: false }]
  const error = errorOfBody({
    code: 406,
    name: 'preconditionFailed',
    scope: 'request',
    retryable: false,
    message: 'differs',
    details: { differences },
  })
  t.ok(error instanceof DeclareError && error instanceof WaybillError)
  t.same((error as DeclareError).differences, differences)
  t.equal(error.code, 'PRECONDITION_FAILED')
})

t.test('errors - one of a later version keeps its name and whether to try again', async (t) => {
  const error = errorOfBody({ code: 599, name: 'moonPhase', scope: 'request', retryable: true, message: 'later' })
  t.match(error, { code: 'MOON_PHASE', retryable: true, message: 'later', name: 'WaybillError' })
})

t.test('errors - a refused message was not stored', async (t) => {
  const error = refusalOf(ErrorCode.resourceExhausted.code, 'no memory')
  t.ok(error instanceof PublishError)
  t.match(error, { code: 'RESOURCE_EXHAUSTED', stored: 'no', retryable: true, message: 'no memory' })
  t.match(refusalOf(312, '').message, /UNROUTABLE/)
})

t.test('errors - of a message that was refused because the disk failed nobody knows, and it may be sent again', async (t) => {
  t.match(refusalOf(ErrorCode.storageFailed.code, 'the disk is full'), { code: 'STORAGE_FAILED', stored: 'unknown', retryable: true })
})

t.test('errors - those for handlers say their reason', async (t) => {
  t.match(new RejectError('never'), { name: 'RejectError', message: 'never' })
  t.match(new RetryError('later', { delayMs: 5 }), { name: 'RetryError', message: 'later', delayMs: 5 })
  t.equal(new RetryError('later').delayMs, undefined)
})
