// The Rust side is layered: no crate depends on one above it, and no modules of a crate name each
// other in a circle.
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { circles, moduleOf } from '../helpers/rust.ts'

const crates = fileURLToPath(new URL('../../crates/', import.meta.url))

/** From the bottom up; those of one row know nothing of each other. */
const ROWS = [['engine', 'resp'], ['router'], ['net', 'lab'], ['node']]

const names = readdirSync(crates)

for (const name of names) {
  test(`no modules of crates/${name} name each other in a circle`, t => {
    t.deepEqual(circles(sourcesOf(`${crates}${name}/src`)), [])
  })

  test(`no two types of crates/${name} have one name`, t => {
    const seen = new Map<string, string>()
    for (const [path, source] of sourcesOf(`${crates}${name}/src`)) {
      if (/(^|::)(tests|models)($|::)/.test(path)) continue
      for (const type of typesOf(source)) {
        t.is(seen.get(type), undefined, `${type} stands in ${path} too`)
        seen.set(type, path)
      }
    }
    t.true(seen.size > 0)
  })

  test(`crates/${name} depends on no crate beside or above it`, t => {
    const rowOf = (crate: string) => ROWS.findIndex(row => row.includes(crate))
    t.true(rowOf(name) >= 0, 'it has no row')
    const manifest = readFileSync(`${crates}${name}/Cargo.toml`, 'utf8')
    const used = [...manifest.matchAll(/^breakwater-(\w+)/gm)].map(match => match[1] ?? '')
    t.deepEqual(
      used.filter(crate => rowOf(crate) >= rowOf(name)),
      [],
    )
  })
}

test('a circle is found, whatever way it is named', t => {
  const crate = (files: Record<string, string>) =>
    circles(new Map(Object.entries(files).map(([file, text]) => [moduleOf(file), text])))
  const lib = 'mod a; mod b; pub use b::B;'
  for (const [a, b] of [
    ['use crate::b::B;', 'use crate::a;'],
    ['use super::{b::{B, C as D}, x};', 'fn f() { crate::a::g() }'],
    ['use crate::B;', 'type T = super::a::T;'],
    ['macro_rules! m { () => { $crate::b::f() } }', 'mod inner { use super::super::a::*; }'],
  ] as const) {
    t.is(crate({ 'lib.rs': lib, 'a.rs': a, 'b.rs': b }).length, 1, `${a} ${b}`)
  }
  // In folders: by way of a name that the folder hands on, and between the folders as a whole.
  t.deepEqual(
    crate({
      'lib.rs': 'mod a; mod b;',
      'a/mod.rs': 'mod one; mod two; pub use one::One;',
      'a/one.rs': 'use super::two::Two;',
      'a/two.rs': 'use crate::a::One;',
      'b.rs': '',
    }),
    ['a::one names a::two, a::two names a::one'],
  )
  t.deepEqual(
    crate({
      'lib.rs': 'mod a; mod b;',
      'a/mod.rs': 'mod one; mod two;',
      'a/one.rs': 'use crate::b;',
      'a/two.rs': '',
      'b.rs': 'use crate::a::two::Two;',
    }),
    ['b names a::two, a::one names b'],
  )
})

test('a module and its children, tests, comments and texts make no circle', t => {
  const files = {
    'lib.rs': 'mod a; mod b; #[cfg(test)] mod tests;',
    'a.rs': 'use crate::b::B; mod own { use super::X; } #[cfg(all(test, loom))] mod models {}',
    'b.rs': `// use crate::a;
      const TEXT: &str = "use crate::a::A;"; const LETTER: char = '"'; fn f<'a>() {}
      #[cfg(test)] mod tests { use crate::a::A; fn f() { { crate::a::g() } } }
      fn after() { crate::f() } fn all() -> impl Iterator + use<> {}`,
    'tests.rs': 'use crate::a; use crate::b;',
  }
  const sources = Object.entries(files).map(([file, text]) => [moduleOf(file), text] as const)
  t.deepEqual(circles(new Map(sources)), [])
})

/** The types that a file declares; those for one system and for another are one. */
function typesOf(source: string): Set<string> {
  const shipped = source.split(/^#\[cfg\((?:all\()?test/m)[0] ?? ''
  const found = shipped.matchAll(/^ *(?:pub(?:\([^)]*\))? )?(?:struct|enum|trait|union) (\w+)/gm)
  return new Set([...found].map(match => match[1] ?? ''))
}

function sourcesOf(folder: string): Map<string, string> {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  const rust = files.filter(file => file.endsWith('.rs'))
  return new Map(
    rust.map(file => [
      moduleOf(file.replaceAll('\\', '/')),
      readFileSync(`${folder}/${file}`, 'utf8'),
    ]),
  )
}
