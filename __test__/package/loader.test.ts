// How the native module is found: whatever the system, the process decides, and an error says what to do.
import { readFileSync } from 'node:fs'
import test from 'ava'

const source = readFileSync(new URL('../../scripts/loader.cjs', import.meta.url), 'utf8')

interface System {
  platform?: string
  arch?: string
  /** What the process says of its C library. */
  glibc?: string
  /** What is there; an error is thrown by what there is. */
  installed: Record<string, unknown>
}

/** What the loader gives on a system, and what it asked for. */
function load({ platform = 'linux', arch = 'x64', glibc, installed }: System) {
  const asked: string[] = []
  const resolve = (path: string) => {
    asked.push(path)
    if (path in installed) return path
    throw Object.assign(new Error(`Cannot find module '${path}'`), { code: 'MODULE_NOT_FOUND' })
  }
  const require = (path: string) => {
    const found = installed[path]
    if (found instanceof Error) throw found
    if (found !== undefined) return found
    throw Object.assign(new Error(`Cannot find module '${path}'`), { code: 'MODULE_NOT_FOUND' })
  }
  require.resolve = resolve
  const report = {
    excludeNetwork: false,
    getReport: () => ({ header: glibc === undefined ? {} : { glibcVersionRuntime: glibc } }),
  }
  const module = { exports: undefined as unknown }
  const run = new Function('process', 'require', 'module', source)
  return {
    asked,
    report,
    run() {
      run({ platform, arch, report }, require, module)
      return module.exports
    },
  }
}

const GNU = '@breakwater-js/native-linux-x64-gnu'
const MUSL = '@breakwater-js/native-linux-x64-musl'

test('a process on glibc loads the build for it, whatever else is installed', t => {
  const { run, report } = load({ glibc: '2.36', installed: { [GNU]: 'gnu', [MUSL]: 'musl' } })
  t.is(run(), 'gnu')
  t.false(report.excludeNetwork)
})

test('a process on musl loads the build for it, whatever else is installed', t => {
  t.is(load({ installed: { [GNU]: 'gnu', [MUSL]: 'musl' } }).run(), 'musl')
})

test('what is installed is tried if what fits best is not, or cannot be loaded', t => {
  t.is(load({ glibc: '2.36', installed: { [MUSL]: 'musl' } }).run(), 'musl')
  const broken = new Error('version GLIBC_2.38 not found')
  t.is(load({ glibc: '2.31', installed: { [GNU]: broken, [MUSL]: 'musl' } }).run(), 'musl')
})

test('a module that was built here goes before a package', t => {
  const installed = { './breakwater.linux-x64-gnu.node': 'built', [GNU]: 'package' }
  t.is(load({ glibc: '2.36', installed }).run(), 'built')
})

for (const [platform, arch, target] of [
  ['linux', 'arm64', 'linux-arm64-gnu'],
  ['darwin', 'x64', 'darwin-x64'],
  ['darwin', 'arm64', 'darwin-arm64'],
  ['win32', 'x64', 'win32-x64-msvc'],
  ['win32', 'arm64', 'win32-arm64-msvc'],
] as const) {
  test(`${platform} on ${arch}`, t => {
    const installed = { [`@breakwater-js/native-${target}`]: target }
    t.is(load({ platform, arch, glibc: '2.36', installed }).run(), target)
  })
}

test('the error names the platform, what was looked for, why it failed, and the cure', t => {
  const broken = new Error('libc.so.6: version GLIBC_2.38 not found\nand more')
  const { run } = load({ glibc: '2.31', installed: { [GNU]: broken } })
  const error = t.throws(run, { code: 'ERR_NATIVE_MODULE' })
  t.is(
    error?.message,
    [
      `breakwater found no native module for linux-x64-gnu: install it: npm install ${GNU}, or npm install --include=optional on the machine that runs the program`,
      '  ./breakwater.linux-x64-gnu.node: not installed',
      `  ${GNU}: libc.so.6: version GLIBC_2.38 not found`,
      '  ./breakwater.linux-x64-musl.node: not installed',
      `  ${MUSL}: not installed`,
    ].join('\n'),
  )
  t.is(error?.cause, broken)
})

test('where there is no build the error says where there are', t => {
  const { run, asked } = load({ arch: 'riscv64', installed: {} })
  t.throws(run, {
    message: /for linux-riscv64: there are builds for linux-x64, linux-arm64, .* only$/,
  })
  t.deepEqual(asked, [])
})
