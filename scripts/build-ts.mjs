// Builds the published JavaScript and its types from src: dist for ES modules, dist/cjs for CommonJS.
// Each entry of package.json is one file and what entries share is in chunks, since a process that
// imports sixty files waits for each of them. Nothing is minified: stack traces name our functions.
import { spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const root = fileURLToPath(new URL('..', import.meta.url))
const dist = join(root, 'dist')
const cjs = join(dist, 'cjs')
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))

/** The entry that stands in one file, for it is measured against a library that does. */
const ALONE = 'lru-cache/index'
/** The files of dist that are entries, without their extension. */
const entries = Object.values(manifest.exports)
  .filter(entry => entry.import)
  .map(entry => entry.import.default.replace(/^\.\/dist\/|\.js$/g, ''))
/** Files that are run beside them: the workers of a router and of a pool, a side of `breakwater bench`. */
const programs = ['router/thread', 'router/process', 'routing/thread', 'bench/contestant']
/** Folders that are in one chunk, which each entry imports: ten small ones take as long to find. */
const TOGETHER = ['base', 'guard']

/** Packages that lie in the command line, which needs little of them. */
const INSIDE = /^(d3-[a-z-]+|internmap)$/

const common = {
  absWorkingDir: root,
  outbase: join(root, 'src'),
  platform: 'node',
  target: 'node20',
  write: false,
  bundle: true,
  packages: 'external',
  external: ['#binding', '#shared'],
  logLevel: 'warning',
}
const source = name => join(root, 'src', `${name}.ts`)

clean()
types()
loaders()
const several = [...entries.filter(entry => entry !== ALONE), ...programs].map(source)
const modules = await build({
  ...common,
  entryPoints: several,
  outdir: dist,
  format: 'esm',
  plugins: [together(several)],
  splitting: true,
  chunkNames: 'chunks/[name]-[hash]',
})
const alone = await build({
  ...common,
  entryPoints: [source(ALONE)],
  outdir: dist,
  format: 'esm',
})
const files = [...modules.outputFiles, ...alone.outputFiles]
write(files)
write(await commandLine())
await commonjs(files)
await page()

/** Takes away what an earlier build left, but the native module. */
function clean() {
  mkdirSync(dist, { recursive: true })
  for (const name of readdirSync(dist)) {
    if (name !== 'binding') rmSync(join(dist, name), { recursive: true, force: true })
  }
}

/** Writes the declarations, with names that every compiler knows for the files that they import. */
function types() {
  const tsc = join(root, 'node_modules/typescript/bin/tsc')
  const { status } = spawnSync(process.execPath, [tsc, '-p', join(root, 'tsconfig.build.json')], {
    stdio: 'inherit',
  })
  if (status !== 0) process.exit(status ?? 1)
  // What is said of the native module belongs to a module that only this repository knows by name.
  const binding = readFileSync(join(root, 'src/native/binding.d.ts'), 'utf8')
  const inside = binding.slice(binding.indexOf('{') + 1, binding.lastIndexOf('}'))
  put(join(dist, 'native/binding.d.ts'), inside.replace(/^( *)const /m, '$1declare const '))
  for (const file of readdirSync(dist, { recursive: true })) {
    if (!file.endsWith('.d.ts')) continue
    const text = readFileSync(join(dist, file), 'utf8')
      .replace(/'#binding'/g, "'./binding.js'")
      // Libraries before ES2021 have none.
      .replace(/\bWeakRef<(\w+)>/g, '{ deref(): $1 | undefined }')
      .replace(/(\bfrom |\bimport\(|\bimport )(['"])(\.[^'"]*)\.ts\2/g, '$1$2$3.js$2')
    for (const path of [join(dist, file), join(cjs, file)]) put(path, text)
  }
}

/** Lets each entry import the same files, so that one chunk holds them. */
function together(paths) {
  const imports = TOGETHER.flatMap(folder =>
    readdirSync(join(root, 'src', folder)).map(
      file => `import ${JSON.stringify(join(root, 'src', folder, file))}\n`,
    ),
  ).join('')
  return {
    name: 'together',
    setup: ({ onLoad }) =>
      onLoad({ filter: /\.ts$/ }, ({ path }) =>
        paths.includes(path)
          ? { contents: imports + readFileSync(path, 'utf8'), loader: 'ts' }
          : undefined,
      ),
  }
}

/** The loader of the native module: ES modules import one of their kind in half the time. */
function loaders() {
  const text = readFileSync(join(root, 'scripts/loader.cjs'), 'utf8')
  put(join(root, manifest.imports['#binding'].require), text)
  // In a bundle of CommonJS there is no URL.
  const head = `import { createRequire } from 'node:module'
const require = createRequire(import.meta.url ?? __filename)
`
  const body = text.replace('module.exports =', 'export default')
  put(join(root, manifest.imports['#binding'].import), head + body)
}

/**
 * The program `breakwater`: it imports the entry of the router rather than its parts. What it alone
 * draws with lies in it, so that nobody else installs that; its licences are at the end.
 */
async function commandLine() {
  const router = {
    name: 'router',
    setup: ({ onResolve }) =>
      onResolve({ filter: /\/router\/index\.ts$/ }, () => ({
        path: './router/index.js',
        external: true,
      })),
  }
  const held = new Set()
  const inside = {
    name: 'inside',
    setup: ({ onResolve }) =>
      onResolve({ filter: /^[^./]/ }, ({ path, kind }) => {
        if (kind === 'entry-point') return undefined
        if (!INSIDE.test(path)) return { path, external: true }
        held.add(path)
        return undefined
      }),
  }
  const built = await build({
    ...common,
    packages: 'bundle',
    entryPoints: [source('cli')],
    outdir: dist,
    format: 'esm',
    plugins: [router, inside],
  })
  const licenses = [...held].sort().map(license).join('')
  return built.outputFiles.map(({ path, text }) => ({ path, text: text + licenses }))
}

/** Under which licence another package is used, as a comment. */
function license(name) {
  const text = readFileSync(join(root, 'node_modules', name, 'LICENSE'), 'utf8')
  return `\n/*! ${name}\n${text.replaceAll('*/', '* /')}*/\n`
}

/** The page of the dashboard: one script, one sheet of styles, and the licence of what is in them. */
async function page() {
  const [from, to] = [join(root, 'src/dashboard/page'), join(dist, 'dashboard/page')]
  const plot = join(root, 'node_modules/uplot')
  await build({
    absWorkingDir: root,
    entryPoints: { app: join(from, 'main.ts') },
    outdir: to,
    bundle: true,
    format: 'esm',
    target: 'es2022',
    minify: true,
    tsconfig: join(from, 'tsconfig.json'),
    logLevel: 'warning',
  })
  const styles = [join(plot, 'dist/uPlot.min.css'), join(from, 'style.css')]
  put(join(to, 'style.css'), styles.map(file => readFileSync(file, 'utf8')).join('\n'))
  for (const file of ['index.html', 'icon.svg']) put(join(to, file), readFileSync(join(from, file)))
  const { name, version } = JSON.parse(readFileSync(join(plot, 'package.json'), 'utf8'))
  const licence = readFileSync(join(plot, 'LICENSE'), 'utf8')
  put(join(to, 'licences.txt'), `This page has ${name} ${version} in it.\n\n${licence}`)
}

/** Derives the CommonJS files from the ES modules, chunk by chunk: both share as much. */
async function commonjs(files) {
  for (const { path, text } of files) {
    const { outputFiles } = await build({
      stdin: { contents: text, sourcefile: path, resolveDir: dirname(path) },
      format: 'cjs',
      platform: 'node',
      target: 'node20',
      // CommonJS has no import.meta; workers are found beside the file that starts them.
      banner: text.includes('import.meta.url')
        ? { js: 'const importMetaUrl = require("node:url").pathToFileURL(__filename).href;' }
        : {},
      define: { 'import.meta.url': 'importMetaUrl' },
      write: false,
    })
    const to = join(cjs, relative(dist, path))
    // The names of package.json's `imports` end at the package.json in this folder.
    let code = outputFiles[0].text
    for (const [name, target] of Object.entries(manifest.imports)) {
      const file = join(root, target.require ?? target)
      const beside = relative(dirname(to), file).replaceAll('\\', '/')
      code = code.replaceAll(
        `"${name}"`,
        JSON.stringify(`${beside[0] === '.' ? '' : './'}${beside}`),
      )
    }
    put(to, named(code))
  }
  put(join(cjs, 'package.json'), '{ "type": "commonjs" }\n')
}

/** Gives classes their names: esbuild calls one that names itself `_Cache`, and a second one `Cache2`. */
function named(text) {
  const themselves = text.matchAll(/^var (\w+) = class _\1\b/gm)
  const code = [...themselves].reduce(
    (code, [, name]) => code.replaceAll(new RegExp(`\\b_${name}\\b`, 'g'), name),
    text,
  )
  return code.replaceAll(
    /^var (([A-Z]\w*?)\d+) = class\b[\s\S]*?^\};$/gm,
    (text, local, name) =>
      `${text}\nObject.defineProperty(${local}, "name", { value: "${name}" });`,
  )
}

function write(files) {
  for (const { path, text } of files) put(path, constant(named(text)))
}

/**
 * Makes constants again of what a bundle makes variables of, at the top of a file: V8 folds them, and
 * knows what the hottest methods call.
 */
function constant(text) {
  return text.replace(/^var (?=[A-Z][A-Z0-9_]* = |\w+ = class\b|\{ )/gm, 'const ')
}

function put(path, text) {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text)
}
