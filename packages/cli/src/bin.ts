#!/usr/bin/env node
/** The program `waybill`. */
import { processIo } from './io.js'
import { main } from './main.js'

// Whoever reads our output may stop doing so (`waybill debug | head`); that is no error of ours.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  process.exit(error.code === 'EPIPE' ? 0 : 1)
})

main(process.argv.slice(2), processIo()).then(
  (code) => {
    process.exitCode = code
  },
  (error: unknown) => {
    console.error(error)
    process.exitCode = 70
  },
)
