// Derives the CommonJS entry, dist/cjs, from the ES modules and declarations that tsc wrote to dist.
import { cpSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const dist = fileURLToPath(new URL('../dist', import.meta.url))
const cjs = join(dist, 'cjs')

rmSync(cjs, { recursive: true, force: true })
// The command line is a program and no module: nobody requires it.
const files = readdirSync(dist, { recursive: true }).filter(
  file => !/^(binding|cjs|cli)[\\/]|^cli\./.test(file) && /\.(js|d\.ts)$/.test(file),
)

const { outputFiles } = await build({
  entryPoints: files.filter(file => file.endsWith('.js')).map(file => join(dist, file)),
  outbase: dist,
  outdir: cjs,
  format: 'cjs',
  platform: 'node',
  target: 'node20',
  // CommonJS has no import.meta; workers are found beside the file that starts them.
  banner: { js: 'const importMetaUrl = require("node:url").pathToFileURL(__filename).href;' },
  define: { 'import.meta.url': 'importMetaUrl' },
  write: false,
})
for (const { path, text } of outputFiles) {
  // The names of package.json's `imports` end at the package.json in this folder.
  const binding = relative(dirname(path), join(dist, 'binding/index.cjs')).replaceAll('\\', '/')
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text.replaceAll('"#binding"', JSON.stringify(binding)))
}
for (const file of files.filter(file => file.endsWith('.d.ts'))) {
  cpSync(join(dist, file), join(cjs, file))
}
writeFileSync(join(cjs, 'package.json'), '{ "type": "commonjs" }\n')
