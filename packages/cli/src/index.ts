/** The `waybill` command as a function, for who wants to run it in a process of their own. */
export { type Io, processIo } from './io.js'
export { main } from './main.js'
