// The package as it is published: what it holds, and that it works wherever it may be installed.
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test from 'ava'
import { publint } from 'publint'
import { formatMessage } from 'publint/utils'
import { removeFolder } from '../helpers/folders.ts'
import { type Installed, installPacked } from './install.ts'
import { install, RUNTIMES, type Runtime } from './runtimes.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const require = createRequire(import.meta.url)
const run = promisify(execFile)

const manifest = (path: string) => JSON.parse(readFileSync(join(root, path), 'utf8'))

/** The program of a development dependency. */
function program(name: string, bin: string): string {
  const file = require.resolve(`${name}/package.json`)
  return join(dirname(file), JSON.parse(readFileSync(file, 'utf8')).bin[bin])
}

let installed: Installed
let runtimes: Record<(typeof RUNTIMES)[number], Runtime>

test.before(t => {
  // A first run downloads five runtimes.
  t.timeout(600_000)
  installed = installPacked()
  runtimes = install()
})

test.after.always(() => {
  return installed && removeFolder(dirname(installed.folder))
})

for (const name of RUNTIMES) {
  for (const entry of ['roundtrip.mjs', 'roundtrip.cjs']) {
    test.serial(`the installed package works on ${name}: ${entry}`, async t => {
      t.timeout(120_000)
      const [command = '', ...args] = runtimes[name].command
      const { stdout } = await run(command, [...args, entry], { cwd: installed.folder })
      t.is(stdout, 'round trip\n')
    })
  }
}

test.serial('the installed command explains itself', async t => {
  const command = join(installed.folder, 'node_modules/breakwater/dist/cli.js')
  const { stdout } = await run(process.execPath, [command, '--help'])
  t.regex(stdout, /^Usage: breakwater/)
  t.regex(stdout, /\bserve\b/)
})

test.serial('its types serve ES modules and CommonJS', async t => {
  t.timeout(120_000)
  const tsc = program('typescript', 'tsc')
  const { stdout } = await run(
    process.execPath,
    [tsc, '-p', installed.folder, '--typeRoots', join(root, 'node_modules/@types')],
    { encoding: 'utf8' },
  ).catch(error => error)
  t.is(stdout, '')
})

test.serial('publint has nothing to say', async t => {
  const tarball = readFileSync(installed.main.tarball)
  const data = tarball.buffer.slice(tarball.byteOffset, tarball.byteOffset + tarball.length)
  const { messages, pkg } = await publint({ pack: { tarball: data as ArrayBuffer }, strict: true })
  t.deepEqual(
    messages.map(message => formatMessage(message, pkg, { color: false })),
    [],
  )
})

test.serial('arethetypeswrong finds every entry resolvable', async t => {
  t.timeout(120_000)
  const attw = program('@arethetypeswrong/cli', 'attw')
  await t.notThrowsAsync(run(process.execPath, [attw, installed.main.tarball]))
})

test('the tarball holds what was built and no binary, source or test', t => {
  const { files } = installed.main
  for (const file of [
    'dist/index.js',
    'dist/index.d.ts',
    'dist/cjs/index.js',
    'dist/binding/index.cjs',
    'dist/binding/index.js',
  ]) {
    t.true(files.includes(file), file)
  }
  const others = files.filter(
    file =>
      !/^(dist\/[\w/-]+\.(js|cjs|d\.ts|json)|config\.schema\.json|package\.json|README\.md|LICENSE)$/.test(
        file,
      ),
  )
  // The page of the dashboard is no JavaScript alone.
  const page = ['icon.svg', 'index.html', 'licences.txt', 'style.css']
  t.deepEqual(
    others.sort(),
    page.map(file => `dist/dashboard/page/${file}`),
  )
})

test('the platform package holds the binary alone', t => {
  const [binary, ...others] = installed.platform.files.filter(file => file.endsWith('.node'))
  t.truthy(binary)
  t.deepEqual(others, [])
})

test('compilers that know no exports find the types of each entry too', t => {
  const { exports, typesVersions } = manifest('package.json')
  const entries = Object.keys(exports).filter(entry => !['.', './package.json'].includes(entry))
  const types = entries.map(entry => [entry.slice(2), [exports[entry].require.types]])
  t.deepEqual(typesVersions, { '*': Object.fromEntries(types) })
})

test('the binary has no symbols but those that Node.js looks for', t => {
  const [binary = ''] = installed.platform.files.filter(file => file.endsWith('.node'))
  const bytes = readFileSync(join(root, 'dist/binding', binary))
  t.true(bytes.includes('napi_register_module_v1'))
  // As the compiler spells the names of the engine's functions.
  t.false(bytes.includes('17breakwater_engine'))
})

test('every target has a platform package of the same version', t => {
  const { version, napi } = manifest('package.json')
  const platforms: Record<string, string> = {
    'x86_64-unknown-linux-gnu': 'linux-x64-gnu',
    'aarch64-unknown-linux-gnu': 'linux-arm64-gnu',
    'x86_64-unknown-linux-musl': 'linux-x64-musl',
    'aarch64-unknown-linux-musl': 'linux-arm64-musl',
    'x86_64-apple-darwin': 'darwin-x64',
    'aarch64-apple-darwin': 'darwin-arm64',
    'x86_64-pc-windows-msvc': 'win32-x64-msvc',
    'aarch64-pc-windows-msvc': 'win32-arm64-msvc',
  }
  t.deepEqual([...napi.targets].sort(), Object.keys(platforms).sort())
  for (const platform of Object.values(platforms)) {
    const described = manifest(`npm/${platform}/package.json`)
    t.is(described.name, `${napi.packageName}-${platform}`)
    t.is(described.version, version)
    t.deepEqual(described.files, [`${napi.binaryName}.${platform}.node`])
    t.is(described.main, described.files[0])
  }
})
