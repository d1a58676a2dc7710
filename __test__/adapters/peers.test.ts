import { readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { build } from 'esbuild'

const root = fileURLToPath(new URL('../..', import.meta.url))
const require = createRequire(import.meta.url)
const { exports, dependencies, peerDependencies, peerDependenciesMeta } = JSON.parse(
  readFileSync(`${root}package.json`, 'utf8'),
)

/** The packages that the built files of an entry import, directly or not. */
async function packagesOf(file: string): Promise<string[]> {
  const { metafile } = await build({
    entryPoints: [root + file],
    bundle: true,
    metafile: true,
    write: false,
    platform: 'node',
    format: file.includes('/cjs/') ? 'cjs' : 'esm',
    packages: 'external',
    external: ['#binding', '*/binding/index.cjs'],
    logLevel: 'error',
  })
  const paths = Object.values(metafile.inputs).flatMap(({ imports }) => imports)
  const external = paths.filter(({ external }) => external).map(({ path }) => path)
  return [...new Set(external)].filter(path => !/^node:|^#binding$|binding\/index\.cjs$/.test(path))
}

for (const [entry, ways] of Object.entries(exports)) {
  if (entry === './package.json') continue
  for (const way of ['import', 'require']) {
    test(`${entry} needs no peer to run: ${way}`, async t => {
      const file = (ways as Record<string, { default: string }>)[way]?.default.slice(2) ?? ''
      const own = Object.keys(dependencies)
      t.deepEqual(
        (await packagesOf(file)).filter(name => !own.includes(name)),
        [],
      )
    })
  }
}

test('every peer is optional and no dependency', t => {
  t.deepEqual(Object.keys(peerDependencies).sort(), Object.keys(peerDependenciesMeta).sort())
  for (const peer of Object.keys(peerDependencies)) {
    t.true(peerDependenciesMeta[peer].optional)
    t.false(peer in dependencies)
  }
})

test('every adapter has an entry', t => {
  const adapters = ['keyv', 'cache-manager', 'nextjs', 'memoize']
  for (const adapter of adapters) {
    t.true(`./${adapter}` in exports)
    t.true(readdirSync(`${root}dist/adapters`).includes(`${adapter}.js`))
    t.is(typeof require(`breakwater/${adapter}`), 'object')
  }
})
