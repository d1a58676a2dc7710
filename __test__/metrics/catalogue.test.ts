// docs/metrics.md lists what the code has, and what it says is what a scrape says.
import test from 'ava'
import { METRICS } from 'breakwater/metrics'
import { difference, page, rowsOf, same } from '../docs/page.ts'

const rows = rowsOf(page('metrics.md'))

test('every metric is in the catalogue, and no other', t => {
  const names = METRICS.map(({ name }) => name)
  t.is(new Set(names).size, names.length)
  t.deepEqual(
    difference(
      rows.map(({ name }) => name),
      names,
    ),
    same,
  )
})

test('the catalogue says of each metric what a scrape says', t => {
  for (const { name, type, labels, help } of METRICS) {
    const cells = rows.find(row => row.name === name)?.cells
    t.is(cells?.type, type, name)
    t.is(cells?.labels, labels.map(label => `\`${label}\``).join(', '), name)
    t.is(cells?.meaning, help, name)
  }
})

test('names say the unit, and counters that they only rise', t => {
  for (const { name, type, labels } of METRICS) {
    t.regex(name, /^breakwater_(node|cache)_[a-z_]+$/)
    t.is(name.endsWith('_total'), type === 'counter', name)
    if (type === 'histogram') t.regex(name, /_seconds$/)
    t.false(
      labels.some(label => /key|client|user/.test(label)),
      name,
    )
  }
})
