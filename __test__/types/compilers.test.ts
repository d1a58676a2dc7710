// The types of the built package compile with old compilers and new ones, in each way to find modules.
import { execFile } from 'node:child_process'
import { cpSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test from 'ava'
import { newFolder, removeFolder } from '../helpers/folders.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const here = fileURLToPath(new URL('.', import.meta.url))

/** Compilers, and the ways in which each finds modules. */
const OLD = [
  ['commonjs', 'node'],
  ['node16', 'node16'],
] as const
const BUNDLER = ['esnext', 'bundler'] as const
const COMPILERS = {
  '4.9': { tsc: join(here, 'node_modules/typescript-4.9/lib/tsc.js'), ways: OLD },
  '5.4': { tsc: join(here, 'node_modules/typescript-5.4/lib/tsc.js'), ways: [...OLD, BUNDLER] },
  '5.9': { tsc: join(here, 'node_modules/typescript-5.9/lib/tsc.js'), ways: [...OLD, BUNDLER] },
  7: {
    tsc: join(root, 'node_modules/typescript/bin/tsc'),
    ways: [['nodenext', 'nodenext'], BUNDLER],
  },
} as const

let folder: string

test.before(() => {
  folder = newFolder('types')
  const installed = join(folder, 'node_modules/breakwater')
  mkdirSync(installed, { recursive: true })
  cpSync(join(root, 'package.json'), join(installed, 'package.json'))
  cpSync(join(root, 'dist'), join(installed, 'dist'), {
    recursive: true,
    filter: path => !path.endsWith('.node'),
  })
  cpSync(join(here, 'program'), folder, { recursive: true })
})

test.after.always(() => removeFolder(folder))

/** What a compiler has to say. */
async function compile(tsc: string, name: string, options: object, file: string): Promise<string> {
  const compilerOptions = {
    noEmit: true,
    strict: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: false,
    target: 'es2020',
    typeRoots: [join(here, 'node_modules/@types')],
    ...options,
  }
  const project = join(folder, `tsconfig.${name}.json`)
  writeFileSync(project, JSON.stringify({ compilerOptions, files: [file] }))
  try {
    const { stdout } = await promisify(execFile)(process.execPath, [tsc, '-p', project])
    return stdout
  } catch (error) {
    return (error as { stdout?: string }).stdout || String(error)
  }
}

for (const [version, { tsc, ways }] of Object.entries(COMPILERS)) {
  for (const [module, moduleResolution] of ways) {
    test.serial(`TypeScript ${version}, moduleResolution ${moduleResolution}`, async t => {
      t.timeout(120_000)
      const name = `${version}-${moduleResolution}`
      const found = { module, moduleResolution }
      t.is(await compile(tsc, name, { ...found, types: ['node'] }, 'all.ts'), '')
      const bare = { ...found, types: [], lib: ['es2020'] }
      t.is(await compile(tsc, `${name}-bare`, bare, 'drop-in.ts'), '')
    })
  }
}
