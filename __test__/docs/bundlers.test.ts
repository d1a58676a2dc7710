// What docs/bundlers.md says of esbuild: the package works beside a bundle, and in one.
import { execFile } from 'node:child_process'
import { copyFileSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import test, { type ExecutionContext } from 'ava'
import { type BuildOptions, build } from 'esbuild'
import { folderOf } from '../helpers/folders.ts'
import { root } from './code.ts'

const PROGRAM = `
import { Cache } from 'breakwater'
import { LRUCache } from 'breakwater/lru-cache'

const cache = new Cache({ max: 10, loader: async key => ({ key }) })
const lru = new LRUCache({ max: 2 })
lru.set('a', 1)
cache.fetch('a').then(({ key }) => console.log(key, lru.get('a')))
`

/** Bundles the program in a folder where the package is installed, and runs it. */
async function bundled(t: ExecutionContext, options: BuildOptions): Promise<string> {
  const folder = folderOf(t, 'bundle')
  mkdirSync(join(folder, 'node_modules'))
  symlinkSync(root, join(folder, 'node_modules/breakwater'), 'junction')
  writeFileSync(join(folder, 'app.mjs'), PROGRAM)
  await build({
    absWorkingDir: folder,
    entryPoints: ['app.mjs'],
    bundle: true,
    platform: 'node',
    outdir: 'out',
    logLevel: 'error',
    ...options,
  })
  const binding = join(root, 'dist/binding')
  for (const name of readdirSync(binding).filter(name => name.endsWith('.node'))) {
    copyFileSync(join(binding, name), join(folder, 'out', name))
  }
  const file = options.format === 'esm' ? 'out/app.mjs' : 'out/app.cjs'
  const { stdout } = await promisify(execFile)(process.execPath, [join(folder, file)])
  return stdout
}

const external = ['breakwater', 'breakwater/*']

test('external, ES modules', async t => {
  const out = { '.js': '.mjs' }
  t.is(await bundled(t, { format: 'esm', external, outExtension: out }), 'a 1\n')
})

test('external, CommonJS', async t => {
  const out = { '.js': '.cjs' }
  t.is(await bundled(t, { format: 'cjs', external, outExtension: out }), 'a 1\n')
})

for (const [format, extension] of [
  ['cjs', '.cjs'],
  ['esm', '.mjs'],
] as const) {
  test(`bundled as ${format}, with the native module beside the bundle`, async t => {
    const options = { format, outExtension: { '.js': extension } }
    const silent = { 'empty-import-meta': 'silent' } as const
    t.is(await bundled(t, { ...options, logOverride: silent }), 'a 1\n')
  })
}
