/**
 * `npm start`, `npm run demo` and the like: prepares the repository, then becomes the program that was asked for.
 *
 * The program runs in this very process, not in a child, and package.json starts it with `exec`: signals, standard
 * input, the terminal and the exit code are its own, with nothing in between that could swallow them. (Without `exec`,
 * the shell between npm and Node dies of a SIGTERM first, and leaves a broker behind that belongs to nobody.)
 */
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { prepare, root } from './prepare.mjs'

const biome = 'node_modules/@biomejs/biome/bin/biome'
const commands = {
  build: {},
  start: { program: 'packages/cli/dist/bin.js', args: ['serve'] },
  debug: { program: 'packages/cli/dist/bin.js', args: ['debug'] },
  demo: { program: 'examples/dist/demo.js', args: [] },
  bench: { program: 'bench/dist/main.js', args: [] },
  sim: { program: 'packages/server/dist-test/sim/main.js', args: [] },
  torture: { program: 'scripts/torture/main.mjs', args: [] },
  lint: { program: biome, args: ['check'], build: false },
  format: { program: biome, args: ['check', '--write'], build: false },
}

const [name, ...rest] = process.argv.slice(2)
const command = commands[name]
if (command === undefined) {
  console.error(`no command '${name}'; there are ${Object.keys(commands).join(', ')}`)
  process.exit(1)
}

prepare({ build: command.build })
if (command.program !== undefined) {
  const program = join(root, command.program)
  process.setSourceMapsEnabled(true)
  process.argv = [process.execPath, program, ...command.args, ...rest]
  await import(pathToFileURL(program).href)
}
