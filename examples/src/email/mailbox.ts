/**
 * An SMTP server to try the example with: prints each mail that it gets, as a mail program would show it.
 *
 *     node examples/dist/email/mailbox.js [--port 2525]
 */
import { options, run, whenAsked } from '../program.js'
import { read } from './reading.js'
import { startSmtpServer } from './smtp-server.js'

async function main(): Promise<void> {
  const { port } = options({ port: '2525' })
  const server = await startSmtpServer({
    port: Number(port),
    accept: (source, { to }) => {
      const { headers, text } = read(source)
      console.log(`\nfor ${to}: ${headers.get('subject')}\n\n${text.replace(/^/gm, '    ')}`)
    },
  })
  whenAsked(() => server.close())
  console.log(`taking mails at 127.0.0.1:${server.port}`)
}

run(main)
