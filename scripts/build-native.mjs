// Builds the native module into dist/binding, with the loader that picks it for the platform.
// `--debug` makes it quickly and unoptimised; other arguments go to `napi build`, as
// `--target x86_64-unknown-linux-musl`.
import { spawnSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { readNapiConfig, writeJsBinding } from '@napi-rs/cli'

const root = fileURLToPath(new URL('..', import.meta.url))
const require = createRequire(import.meta.url)
const manifest = require.resolve('@napi-rs/cli/package.json')
const cli = join(dirname(manifest), require(manifest).bin.napi)

const debug = process.argv.includes('--debug')
const given = process.argv.slice(2).filter(argument => argument !== '--debug')
const profile = debug || given.includes('--profile') ? [] : ['--release']

mkdirSync(join(root, 'dist/binding'), { recursive: true })
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
  { cwd: root, stdio: 'inherit' },
)
if (napi.status !== 0) process.exit(napi.status ?? 1)

// The command writes a loader only for what the #[napi] macro exports, and the binding is raw.
const { binaryName, packageName, packageJson } = await readNapiConfig(join(root, 'package.json'))
await writeJsBinding({
  platform: true,
  jsBinding: 'index.cjs',
  outputDir: join(root, 'dist/binding'),
  idents: ['open'],
  version: packageJson.version,
  binaryName,
  packageName,
})
