/** The log on a local disk: what others of this package use of it. */
export { DataFormatError } from './format-error.js'
export type { LocalLog } from './local-log.js'
export type { Migration } from './migrations.js'
export { type LocalLogOptions, openLocalLog, segmentSizeDefault } from './open.js'
