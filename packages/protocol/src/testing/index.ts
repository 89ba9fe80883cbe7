/** Notation of frames for vectors and transcripts, and what plays a transcript. For tests of servers and clients; pure. */
export * from './match.js'
export * from './notation.js'
export * from './player.js'
export * from './transcript.js'
