// Installs the development dependencies when they are missing or older than the lock file: of the
// repository, or of the folders named as arguments, which have peers of their own, as `benches`.
// Those of Python, in the `requirements.txt` of a folder, go into its `.venv`.
// Needs nothing installed itself, so that `npm start` and `npm test` work on a fresh clone.
import { spawnSync } from 'node:child_process'
import { existsSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const shell = process.platform === 'win32'
/** The interpreter of a `.venv`. */
const python = shell ? '.venv\\Scripts\\python' : './.venv/bin/python'

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

/** Installs the Python packages of a folder if what is installed there is out of date. */
function installPython(folder) {
  const at = path => join(root, folder, path)
  const written = path => statSync(at(path), { throwIfNoEntry: false })?.mtimeMs ?? 0
  const done = '.venv/installed'
  if (!existsSync(at('requirements.txt'))) return
  if (written(done) >= written('requirements.txt')) return
  const run = (program, ...args) =>
    spawnSync(program, args, { cwd: at('.'), stdio: 'inherit', shell }).status === 0
  const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check']
  rmSync(at('.venv'), { recursive: true, force: true })
  if (run('python3', '-m', 'venv', '.venv') && run(python, ...pip, '-r', 'requirements.txt')) {
    return writeFileSync(at(done), '')
  }
  const what = `${folder}: python3 with venv and pip is missing`
  if (process.env.BREAKWATER_REQUIRE_PYTHON === '1') throw new Error(what)
  console.warn(`${what}: the tests that need it are skipped`)
}

const named = process.argv.slice(2)
for (const folder of named.length > 0 ? named : ['']) {
  install(folder)
  installPython(folder)
}

if (named.length === 0 && spawnSync('cargo', ['--version'], { shell }).status !== 0) {
  console.error('Building Breakwater takes a Rust toolchain: see https://rustup.rs')
  process.exit(1)
}
