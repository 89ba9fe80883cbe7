/** What the client says of itself in HELLO; compared with package.json by test. */
export const version = '0.1.0'
