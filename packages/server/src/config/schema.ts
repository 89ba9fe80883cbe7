/**
 * The JSON Schema of the configuration: the same for the file, for what environment and flags add to it, and for the options of
 * `createBroker`. Unknown options are errors everywhere.
 */
import { limitTable } from '../limits.js'

const name = { type: 'string', minLength: 1, maxLength: 255 }
const patterns = { type: 'array', maxItems: 100, items: { type: 'string', maxLength: 255 } }
const pem = {
  type: 'string',
  minLength: 1,
  description: 'A PEM text, or the path of a file with one; in a configuration file it begins where that lies.',
}

export const configSchema = {
  $schema: 'http://json-schema.org/draft-07/schema#',
  title: 'Configuration of a Waybill broker',
  type: 'object',
  additionalProperties: false,
  properties: {
    $schema: { type: 'string', description: 'For editors; not looked at.' },
    listen: {
      description: 'Where to listen; false: nowhere, for use inside this process.',
      type: ['object', 'boolean'],
      not: { const: true },
      additionalProperties: false,
      properties: {
        host: { ...name, default: 'localhost', description: 'Name or address. Other machines can connect only to another than localhost.' },
        port: { type: 'integer', minimum: 0, maximum: 65_535, default: 7_670, description: '0: any that is free.' },
      },
    },
    data: {
      description: 'Directory of the messages and names that are kept; made if it is not there. false: nothing is kept.',
      type: ['string', 'boolean'],
      not: { const: true },
      minLength: 1,
      maxLength: 4_096,
    },
    tls: {
      description: 'Key and certificate; without them the port is plain.',
      type: 'object',
      additionalProperties: false,
      required: ['key', 'cert'],
      properties: { key: pem, cert: pem, ca: pem },
    },
    allowPlaintext: {
      type: 'boolean',
      default: false,
      description: 'Listen for other machines without TLS: passwords and messages can then be read on the way.',
    },
    users: {
      description: 'Who may connect. Without any, only this machine may, and may do everything.',
      type: 'array',
      maxItems: 10_000,
      items: {
        type: 'object',
        additionalProperties: false,
        required: ['name', 'passwordHash'],
        properties: {
          name,
          passwordHash: { type: 'string', description: 'What `waybill hash-password` prints.' },
          vhosts: {
            ...patterns,
            default: ['default'],
            description: 'Virtual hosts that the user may connect to. `*` stands for any characters.',
          },
          permissions: {
            type: 'object',
            additionalProperties: false,
            properties: {
              configure: { ...patterns, description: 'Queues and exchanges that the user may declare and delete.' },
              write: { ...patterns, description: 'Exchanges that it may publish to, queues and exchanges that it may bind.' },
              read: { ...patterns, description: 'Queues that it may consume and purge, exchanges that it may bind to.' },
            },
          },
          monitor: { type: 'boolean', default: false, description: 'May see what others do.' },
        },
      },
    },
    vhosts: {
      description: 'Names of the virtual hosts.',
      type: 'array',
      minItems: 1,
      maxItems: 1_000,
      uniqueItems: true,
      items: name,
      default: ['default'],
    },
    limits: {
      type: 'object',
      additionalProperties: false,
      properties: Object.fromEntries(
        Object.entries(limitTable).map(([limit, { default: value, min, max, why }]) => [
          limit,
          { type: 'integer', minimum: min, maximum: max, ...(value === undefined ? {} : { default: value }), description: why },
        ]),
      ),
    },
    log: { enum: ['json', 'text', 'none'], default: 'text', description: 'Form of the log on standard error.' },
  },
}
