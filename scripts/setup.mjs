// Installs the development dependencies when they are missing or older than the lock file: of the
// repository, or of the folders named as arguments, which have peers of their own, as `benches`.
// Needs nothing installed itself, so that `npm start` and `npm test` work on a fresh clone.
import { spawnSync } from 'node:child_process'
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const shell = process.platform === 'win32'

/** Runs npm in a folder of the repository if what is installed there is out of date. */
function install(folder) {
  const written = path =>
    statSync(join(root, folder, path), { throwIfNoEntry: false })?.mtimeMs ?? 0
  // npm writes this file last: older than the lock file (or absent) means stale.
  if (written('node_modules/.package-lock.json') >= written('package-lock.json')) return
  // Not `npm ci`: it refuses a lock file that lacks a tool's binary for some other platform, which
  // npm leaves out when it cannot see one.
  const args = ['install', '--no-save', '--no-audit', '--no-fund', '--loglevel=error']
  // The peers bring scripts that compile what no test uses.
  if (folder !== '') args.push('--ignore-scripts')
  const npm = spawnSync('npm', args, { cwd: join(root, folder), stdio: 'inherit', shell })
  if (npm.status !== 0) process.exit(npm.status ?? 1)
}

const named = process.argv.slice(2)
for (const folder of named.length > 0 ? named : ['']) install(folder)

if (named.length === 0 && spawnSync('cargo', ['--version'], { shell }).status !== 0) {
  console.error('Building Breakwater takes a Rust toolchain: see https://rustup.rs')
  process.exit(1)
}
