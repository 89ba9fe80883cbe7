/** The public surface of @waybill/protocol. */
export * from './bytes.js'
export * from './errors.js'
export * from './frame.js'
export * from './frame-reader.js'
export * from './preface.js'
export * from './utf8.js'
