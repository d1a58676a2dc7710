// Installs the development dependencies when they are missing or older than the lock file.
// Needs nothing installed itself, so that `npm start` and `npm test` work on a fresh clone.
import { spawnSync } from 'node:child_process'
import { statSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

/** When a file was last written, 0 if it does not exist. */
const written = path => statSync(root + path, { throwIfNoEntry: false })?.mtimeMs ?? 0

// npm writes this file last: older than the lock file (or absent) means stale.
if (written('node_modules/.package-lock.json') < written('package-lock.json')) {
  const npm = spawnSync('npm', ['ci', '--no-audit', '--no-fund'], {
    cwd: root,
    stdio: 'inherit',
    shell: process.platform === 'win32',
  })
  if (npm.status !== 0) process.exit(npm.status ?? 1)
}

if (spawnSync('cargo', ['--version'], { shell: process.platform === 'win32' }).status !== 0) {
  console.error('Building Breakwater takes a Rust toolchain: see https://rustup.rs')
  process.exit(1)
}
