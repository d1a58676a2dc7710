// Installs the development dependencies when they are missing or older than the lock file, of the
// repository or of the folder named as the argument, as `benches`. Needs nothing installed itself,
// so that `npm start` and `npm test` work on a fresh clone.
import { spawnSync } from 'node:child_process'
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const folder = fileURLToPath(new URL(`../${process.argv[2] ?? ''}`, import.meta.url))
const shell = process.platform === 'win32'

/** When a file was last written, 0 if it does not exist. */
const written = path => statSync(join(folder, path), { throwIfNoEntry: false })?.mtimeMs ?? 0

// npm writes this file last: older than the lock file (or absent) means stale.
if (written('node_modules/.package-lock.json') < written('package-lock.json')) {
  // Not `npm ci`: it refuses a lock file that lacks a tool's binary for some other platform, which
  // npm leaves out when it cannot see one.
  const args = ['install', '--no-save', '--no-audit', '--no-fund', '--loglevel=error']
  const npm = spawnSync('npm', args, { cwd: folder, stdio: 'inherit', shell })
  if (npm.status !== 0) process.exit(npm.status ?? 1)
}

if (spawnSync('cargo', ['--version'], { shell }).status !== 0) {
  console.error('Building Breakwater takes a Rust toolchain: see https://rustup.rs')
  process.exit(1)
}
