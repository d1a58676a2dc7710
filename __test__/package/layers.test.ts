// The folders of src import one another as docs/architecture.md says, and in no other way.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { cruise, type ICruiseResult } from 'dependency-cruiser'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** The folders that a row of the table names, the lowest first, and what each may import. */
function allowed(): Map<string, Set<string>> {
  const text = readFileSync(join(root, 'docs/architecture.md'), 'utf8')
  const table = text.slice(text.indexOf('| folder |'))
  const rows = new Map<string, Set<string>>()
  for (const row of table.matchAll(/^\| `([\w/-]+)` \|[^|]*\|([^|]*)\|$/gm)) {
    const names = [...(row[2] ?? '').matchAll(/`([\w/-]+)`/g)].map(([, name]) => name as string)
    rows.set(row[1] as string, new Set(names))
  }
  return rows
}

interface Arrow {
  from: string
  to: string
  /** The files, for whoever has to mend it. */
  files: string
}

const rows = allowed()

/** The folder of the table that a file is in; the file itself at the root of src. */
function folderOf(path: string): string {
  const file = path.slice('src/'.length)
  const inside = [...rows.keys()].filter(folder => file.startsWith(`${folder}/`))
  return inside.sort((a, b) => b.length - a.length)[0] ?? file
}

let modules: ICruiseResult['modules'] = []
let arrows: Arrow[] = []

test.before(async t => {
  t.timeout(120_000)
  const { output } = await cruise(['src'], {
    baseDir: root,
    parser: 'swc',
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
  })
  modules = (output as ICruiseResult).modules
  arrows = modules
    .filter(({ source }) => source.startsWith('src/'))
    .flatMap(({ source, dependencies }) =>
      dependencies
        .filter(({ resolved }) => resolved.startsWith('src/'))
        .map(({ resolved }) => ({
          from: folderOf(source),
          to: folderOf(resolved),
          files: `${source} -> ${resolved}`,
        })),
    )
})

test('the graph was read whole', t => {
  const files = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
  const sources = files.filter(file => file.endsWith('.ts') && !file.endsWith('.d.ts'))
  const read = new Set(modules.map(({ source }) => source))
  t.deepEqual(
    sources.filter(file => !read.has(`src/${file}`)),
    [],
  )
  t.true(arrows.some(({ files }) => files === 'src/near/near.ts -> src/native/native.ts'))
})

test('every folder is in the table, and every row is a folder', t => {
  const folders = new Set(modules.map(({ source }) => source).filter(s => s.startsWith('src/')))
  const named = new Set([...folders].map(folderOf).filter(folder => !folder.endsWith('.ts')))
  t.deepEqual([...named].sort(), [...rows.keys()].sort())
})

test('the table itself only points up: no folder may import one below it', t => {
  const order = [...rows.keys()]
  for (const [folder, names] of rows) {
    for (const name of names) {
      t.true(
        order.indexOf(name) < order.indexOf(folder) && order.includes(name),
        `${folder}: ${name}`,
      )
    }
  }
})

test('a folder imports only what the table allows, types included', t => {
  const wrong = arrows.filter(
    ({ from, to }) => from !== to && rows.has(from) && !rows.get(from)?.has(to),
  )
  t.deepEqual(
    wrong.map(({ files }) => files),
    [],
  )
})

test('the table allows nothing that no file needs', t => {
  const used = new Set(arrows.map(({ from, to }) => `${from} -> ${to}`))
  const idle = [...rows].flatMap(([from, names]) =>
    [...names].map(to => `${from} -> ${to}`).filter(arrow => !used.has(arrow)),
  )
  t.deepEqual(idle, [])
})

test('at the root of src there are doors only', t => {
  const files = readdirSync(join(root, 'src'), { withFileTypes: true }).filter(f => f.isFile())
  t.true(files.length <= 5)
})

test('no two classes have one name', t => {
  const files = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
  const texts = files
    .filter(file => file.endsWith('.ts'))
    .map(file => readFileSync(join(root, 'src', file), 'utf8'))
  const names = texts.flatMap(text =>
    [...text.matchAll(/^ *(?:export )?(?:abstract )?class (\w+)/gm)].map(match => match[1]),
  )
  t.true(names.length > 50)
  t.deepEqual(
    names.filter((name, at) => names.indexOf(name) !== at),
    [],
  )
})

test('only src/native imports the native module', t => {
  const importers = modules
    .filter(({ dependencies }) => dependencies.some(({ module }) => module === '#binding'))
    .map(({ source }) => source)
    .filter(source => source.startsWith('src/'))
  t.true(importers.length > 0)
  t.deepEqual(
    importers.filter(source => !source.startsWith('src/native/')),
    [],
  )
})

test('no two files import each other in a circle', t => {
  const imports = new Map(
    modules.map(({ source, dependencies }) => [source, dependencies.map(d => d.resolved)]),
  )
  const circles: string[] = []
  const state = new Map<string, 'open' | 'done'>()
  const visit = (file: string, path: string[]) => {
    if (state.get(file) === 'done') return
    if (state.get(file) === 'open') {
      circles.push([...path.slice(path.indexOf(file)), file].join(' -> '))
      return
    }
    state.set(file, 'open')
    for (const next of imports.get(file) ?? []) {
      if (next.startsWith('src/')) visit(next, [...path, file])
    }
    state.set(file, 'done')
  }
  for (const file of imports.keys()) if (file.startsWith('src/')) visit(file, [])
  t.deepEqual(circles, [])
})
