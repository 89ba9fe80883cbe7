/** The schemas of spec/schemas: the same in the package, the same as the types. [P-6] */
import { readFileSync } from 'node:fs'
import t from 'tap'
import { schemas } from '@waybill/protocol'
import { readSpec, readSpecJson, specFiles } from './spec.js'

interface Schema {
  readonly $ref?: string
  readonly type?: string
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly additionalProperties?: boolean | Schema
  readonly definitions?: Readonly<Record<string, Schema>>
  readonly oneOf?: readonly Schema[]
  readonly anyOf?: readonly Schema[]
  readonly allOf?: readonly Schema[]
}

t.test('schemas - those of the package are the files of the specification', async (t) => {
  const files = specFiles('schemas/').filter((file) => file.endsWith('.json'))
  t.same(Object.keys(schemas).sort(), files.map((file) => file.slice(0, -5)).sort())
  for (const file of files)
    t.same(schemas[file.slice(0, -5)], readSpecJson(`schemas/${file}`), `${file}; run node packages/protocol/scripts/schemas.mjs`)
})

t.test('schemas - an object has no fields but those that are named', async (t) => {
  const open: string[] = []
  const look = (schema: Schema, path: string): void => {
    if (typeof schema !== 'object' || schema === null) return
    if (schema.properties !== undefined && schema.additionalProperties !== false) open.push(path)
    for (const [key, value] of Object.entries(schema)) {
      if (typeof value === 'object' && value !== null) look(value as Schema, `${path}.${key}`)
    }
  }
  for (const [name, schema] of Object.entries(schemas)) look(schema as Schema, name)
  t.same(open, [])
})

t.test('schemas - their fields are those of the types, and the same ones may be missing', async (t) => {
  const types = fieldsOfTypes(readFileSync(new URL('../src/control-bodies.ts', import.meta.url), 'utf8'))
  const compare = (type: string, schema: Schema) => t.same(types.get(type), fieldsOf(schema), type)
  const body = (name: string) => schemas[name] as Schema
  const definition = (name: string) => (schemas.common as Schema).definitions![name]

  compare('ClientInfo', definition('client'))
  compare('ErrorBody', definition('error'))
  compare('HelloRequest', body('hello.request'))
  compare('HelloResult', body('hello.result'))
  compare('OpenResult', body('open.result'))
  compare('CancelledBody', body('cancelled'))
  compare('DeclareExchangeRequest', body('declareExchange.request'))
  compare('CheckExchangeResult', body('checkExchange.result'))
  compare('DeleteExchangeRequest', body('deleteExchange.request'))
  for (const name of ['bindExchange', 'unbindExchange']) compare('BindExchangeRequest', body(`${name}.request`))
  for (const name of ['bindQueue', 'unbindQueue']) compare('BindQueueRequest', body(`${name}.request`))
  for (const name of ['bindQueue', 'bindExchange']) compare('BoundResult', body(`${name}.result`))
  for (const name of ['unbindQueue', 'unbindExchange']) compare('UnboundResult', body(`${name}.result`))
  compare('DeclareQueueRequest', body('declareQueue.request'))
  compare('DeclareQueueResult', body('declareQueue.result'))
  compare('CheckQueueResult', body('checkQueue.result'))
  compare('DeleteQueueRequest', body('deleteQueue.request'))
  compare('ConsumeRequest', body('consume.request'))
  compare('GetRequest', body('get.request'))
  compare('ListRequest', body('list.request'))
  compare('ListResult', body('list.result'))
  for (const kind of ['connections', 'channels', 'exchanges', 'bindings', 'queues', 'consumers']) {
    compare(`ListItems.${kind}`, (schemas['list.items'] as Schema).definitions![kind])
  }
})

t.test('schemas - the fields of every control message stand in section 6', async (t) => {
  const section = readSpec('protocol.md').split('\n## 6. Control messages')[1].split('\n## 7.')[0]
  for (const [name, schema] of Object.entries(schemas)) {
    if (!/\.(request|result)$/.test(name)) continue
    for (const field of Object.keys((schema as Schema).properties ?? {}))
      t.match(section, new RegExp(`\\b${field}\\b`), `${name}: ${field}`)
  }
})

/** `field` or `field?`, in order of their names. */
function fieldsOf(schema: Schema): string[] {
  const required = new Set(schema.required)
  return Object.keys(schema.properties ?? {})
    .map((field) => (required.has(field) ? field : `${field}?`))
    .sort()
}

/** The fields of the interfaces in a source file, by their names; those of `ListItems` one level down. */
function fieldsOfTypes(source: string): Map<string, string[]> {
  const types = new Map<string, string[]>()
  for (const [, name, text] of source.matchAll(/^export interface (\w+)[^{]*\{\n([\s\S]*?)^\}/gm)) {
    if (name === 'ListItems') {
      for (const [, kind, item] of text.matchAll(/^ {2}(\w+): \{\n([\s\S]*?)^ {2}\}/gm)) types.set(`ListItems.${kind}`, fieldsIn(item, 4))
    } else types.set(name, fieldsIn(text, 2))
  }
  return types
}

function fieldsIn(text: string, indent: number): string[] {
  return [...text.matchAll(new RegExp(`^ {${indent}}readonly (\\w+\\??):`, 'gm'))].map(([, field]) => field).sort()
}
