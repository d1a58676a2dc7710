// Builds the native module into dist/binding, with its symbols beside it.
// `--debug` makes it quickly and unoptimised; other arguments go to `napi build`, as
// `--target x86_64-unknown-linux-musl`.
import { spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { environment, host, keepApart } from './symbols.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const require = createRequire(import.meta.url)
const manifest = require.resolve('@napi-rs/cli/package.json')
const cli = join(dirname(manifest), require(manifest).bin.napi)

const debug = process.argv.includes('--debug')
const given = process.argv.slice(2).filter(argument => argument !== '--debug')
const profile = debug || given.includes('--profile') ? [] : ['--release']

const named = given.indexOf('--target')
const target = named < 0 ? host : given[named + 1]

const binding = join(root, 'dist/binding')
mkdirSync(binding, { recursive: true })
const began = Date.now()
const napi = spawnSync(
  process.execPath,
  [
    cli,
    'build',
    '--platform',
    ...profile,
    ...['--manifest-path', 'crates/node/Cargo.toml'],
    ...['--output-dir', 'dist/binding'],
    ...given,
  ],
  { cwd: root, stdio: 'inherit', env: { ...process.env, ...environment(target) } },
)
if (napi.status !== 0) process.exit(napi.status ?? 1)

if (profile.includes('--release')) {
  const targets = process.env.CARGO_TARGET_DIR ?? join(root, 'target')
  const modules = readdirSync(binding).filter(file => file.endsWith('.node'))
  for (const module of modules.map(file => join(binding, file))) {
    // Those of other targets were built before.
    if (statSync(module).mtimeMs < began - 1000) continue
    keepApart(module, target, join(targets, target, 'release'))
  }
}
