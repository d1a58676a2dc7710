// The reference pages list what the code has: errors, events, channels, metrics, variables.
import { channel } from 'node:diagnostics_channel'
import test from 'ava'
import * as breakwater from 'breakwater'
import { serve } from '../../src/cli/serve.ts'
import { fieldsOf, sources } from './code.ts'
import { difference, page, rowsOf, same, sectionsOf } from './page.ts'

/** All matches of a pattern in the sources of some folders. */
function found(pattern: RegExp, ...folders: string[]): Set<string> {
  const matches = new Set<string>()
  for (const folder of folders) {
    for (const text of sources(folder).values()) {
      for (const [, name = ''] of text.matchAll(pattern)) matches.add(name)
    }
  }
  return matches
}

test('every error code is documented with its class, cause and cure', t => {
  const rows = rowsOf(page('reference/errors.md'))
  const codes = found(/['"](ERR_[A-Z_]+)['"]/g, 'src', 'crates/node/src', 'scripts')
  t.deepEqual(
    difference(
      rows.map(({ name }) => name),
      codes,
    ),
    same,
  )
  for (const { name, cells } of rows) {
    t.true(cells.cause !== '' && cells.cure !== '', name)
    const type = cells.class?.replaceAll('`', '') ?? ''
    // The loader of the native module has no classes yet.
    if (type === 'Error') continue
    t.true(type in breakwater, `${type} is exported`)
    if (type === 'BreakwaterError') continue
    // Whatever their arguments are, they say the same code.
    const Class = Reflect.get(breakwater, type)
    t.is(new Class('a', 'b', 'c', 'd').code, name)
  }
})

test('every class of errors is documented', t => {
  const { BreakwaterError } = breakwater
  const classes = Object.entries(breakwater).filter(
    ([name, value]) =>
      typeof value === 'function' && /^[A-Z]\w*Error$/.test(name) && name !== 'BreakwaterError',
  )
  t.true(
    classes.every(([, value]) => (value as object) && value.prototype instanceof BreakwaterError),
  )
  const documented = new Set(
    rowsOf(page('reference/errors.md')).map(({ cells }) => cells.class?.replaceAll('`', '')),
  )
  t.deepEqual(
    classes.map(([name]) => name).filter(name => !documented.has(name)),
    [],
  )
})

const [, events = '', channels = ''] =
  page('reference/events.md').split(/^## (?:Events|Channels)$/m)

test('every event is documented with all that it tells', t => {
  const fields = fieldsOf('breakwater', 'CacheEvents')
  const declared = [...fields].filter(field => !field.includes('.'))
  const rows = rowsOf(events)
  t.deepEqual(
    difference(
      rows.map(({ name }) => name),
      declared,
    ),
    same,
  )
  for (const { name, cells } of rows) {
    // A list of fields; what a field may be follows its name after a colon or in brackets.
    const said = new Set(
      [...(cells.fields ?? '').matchAll(/(?:^|, )`(\w+)`(?=$|,|:| \()/g)].map(
        ([, field]) => field!,
      ),
    )
    const has = [...fields]
      .filter(field => field.startsWith(`${name}.`) && field.split('.').length === 2)
      .map(field => field.slice(name.length + 1))
    for (const field of has) t.true(said.has(field), `${name}: ${field}`)
    for (const field of said) {
      // The values that a field may have look the same: they are in the sources.
      const isValue = (cells.fields ?? '').match(new RegExp(`: [^:]*\`${field}\``)) !== null
      t.true(has.includes(field) || isValue, `${name} tells no ${field}`)
    }
  }
})

test('every channel is documented, and every event has one', t => {
  const rows = rowsOf(channels).filter(({ name }) => name.startsWith('breakwater:'))
  const used = found(/channel\('(breakwater:\w+)'\)/g, 'src/events')
  t.deepEqual(
    difference(
      rows.map(({ name }) => name),
      used,
    ),
    same,
  )
  for (const { name } of rows) t.is(channel(name).name, name)
  const told = rows.map(({ name }) => name.slice('breakwater:'.length))
  t.deepEqual(
    told,
    rowsOf(events).map(({ name }) => name),
  )
})

for (const [name, text] of sectionsOf('reference/metrics.md')) {
  test(`every field of ${name} is documented, and no other`, t => {
    const entry = /^(ClassLat|Drain|HotKey|Latency|Route|Thread|Upstream|Worker)/.test(name)
      ? 'breakwater/router'
      : 'breakwater'
    const documented = rowsOf(text).map(row => row.name)
    t.deepEqual(difference(documented, fieldsOf(entry, name)), same)
  })
}

test('docs/serve.md lists every flag of the command, with its default', t => {
  const rows = rowsOf(page('serve.md').replace(/^\| `createRouter[\s\S]*/m, ''))
  // What is hidden refuses old spellings.
  const flags = serve.options.filter(({ hidden }) => !hidden).map(({ long }) => long ?? '')
  t.deepEqual(
    difference(
      rows.map(({ name }) => name),
      flags,
    ),
    same,
  )
  for (const { name, cells } of rows) {
    const option = serve.options.find(({ long }) => long === name)
    if (option?.defaultValue === undefined) continue
    t.is(String(option.defaultValue), cells.default ?? '', name)
  }
})

test('every environment variable that the code reads is documented', t => {
  const names = new Set([
    ...found(/process\.env\.(BREAKWATER_[A-Z_]+)/g, 'src', '__test__', 'benches', 'scripts'),
    ...found(/"(BREAKWATER_[A-Z_]+)"/g, 'crates', 'benches'),
  ])
  const documented = rowsOf(page('reference/environment.md')).map(({ name }) => name)
  t.deepEqual(difference(documented, names), same)
})
