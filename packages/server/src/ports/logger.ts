/** One structured event a line. No bodies, no secrets. */
export type Logger = (level: 'debug' | 'info' | 'warn' | 'error', event: string, fields?: Readonly<Record<string, unknown>>) => void
