/**
 * `npm run pack [directory]`: writes one tarball for each package into `tarballs/`, or the directory named. They install
 * together, with npm, anywhere:
 *
 *     npm install …/tarballs/*.tgz
 */
import { mkdirSync, readdirSync, rmSync, statSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { pnpm, prepare, root } from './prepare.mjs'

const target = resolve(process.argv[2] ?? join(root, 'tarballs'))

prepare()
mkdirSync(target, { recursive: true })
for (const file of tarballs()) rmSync(join(target, file))
pnpm(['--recursive', '--filter', './packages/*', 'pack', '--pack-destination', target])
for (const file of tarballs())
  console.log(`${relative('.', join(target, file))}  ${Math.ceil(statSync(join(target, file)).size / 1024)} KiB`)

function tarballs() {
  return readdirSync(target).filter((file) => /^waybill-.*\.tgz$/.test(file))
}
