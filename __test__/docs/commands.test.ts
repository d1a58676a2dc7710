// What the pages have a reader type is there: commands, their flags and values, scripts; and what
// they name is too: error codes, metrics, files. Tables are whole, or GitHub shows them as text.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import type { Command } from 'commander'
import { commands } from '../../src/cli/commands.ts'
import { pages } from '../helpers/examples.ts'
import { root } from './code.ts'
import { page, rowsOf } from './page.ts'

const all = [...pages(), 'CHANGELOG.md']
const texts = new Map(all.map(file => [file, readFileSync(join(root, file), 'utf8')]))
const FENCE = /^```(\w*)[^\n]*\n([\s\S]*?)^```/gm

/** The lines of the blocks that a reader types into a shell. */
function typed(text: string): string[] {
  return [...text.matchAll(FENCE)]
    .filter(([, language]) => ['', 'sh', 'bash'].includes(language ?? ''))
    .flatMap(([, , block = '']) => block.replaceAll('\\\n', ' ').split('\n'))
}

/** The code within the sentences of a page. */
function spans(text: string): string[] {
  return [...text.replaceAll(FENCE, '').matchAll(/`([^`\n]+)`/g)].map(([, code = '']) => code)
}

/** The words of `breakwater …` in a line, each time that it is called; quotes are taken off. */
function calls(line: string): string[][] {
  return line
    .replace(/ #.*/, '')
    .split(/ && | \| | &(?: |$)/)
    .map(part => /^(?:[A-Z_]+=\S+ )*(?:npx )?breakwater (.*)/.exec(part.trim())?.[1])
    .filter(rest => rest !== undefined)
    .map(rest =>
      (rest.match(/'[^']*'|"[^"]*"|\S+/g) ?? []).map(word => word.replaceAll(/^['"]|['"]$/g, '')),
    )
}

/** Why a call cannot be typed; nothing if it can. */
function wrong([name, ...words]: string[]): string | undefined {
  let command: Command | undefined = commands.find(command => command.name() === name)
  if (command === undefined) return 'there is no such command'
  const part = command.commands.find(part => part.name() === words[0])
  if (part !== undefined) [command, words] = [part, words.slice(1)]
  command.exitOverride().configureOutput({ writeErr: () => {} })
  try {
    const { unknown } = command.parseOptions(words)
    return unknown.length === 0 ? undefined : `it has no ${unknown[0]}`
  } catch (error) {
    return (error as Error).message
  }
}

/** Whether a page shows how a flag was spelled before, beside its new name. */
function isOld(file: string, why: string): boolean {
  return file === 'docs/migrating.md' && why.endsWith('its new name.')
}

test('every call of breakwater on a page is one that it takes', t => {
  // The changelog tells of what was, too.
  const current = [...texts].filter(([file]) => file !== 'CHANGELOG.md')
  const made = current.flatMap(([file, text]) =>
    [...typed(text), ...spans(text)].flatMap(calls).map(words => ({ file, words })),
  )
  t.true(made.length > 60, `${made.length} calls`)
  const refused = made
    .map(({ file, words }) => ({ file, call: words.join(' '), why: wrong(words) }))
    .filter(({ file, why }) => why !== undefined && !isOld(file, why))
  t.deepEqual(refused, [])
})

test('a call that breakwater does not take is found', t => {
  t.is(wrong(['serve', '--port', '6380']), undefined)
  t.is(wrong(['serv']), 'there is no such command')
  t.is(wrong(['serve', '--prot', '6380']), 'it has no --prot')
  t.regex(wrong(['serve', '--policy', 'fifo']) ?? '', /fifo/)
  t.deepEqual(calls("breakwater reload && npx breakwater serve --route '*,ttl=5s' &"), [
    ['reload'],
    ['serve', '--route', '*,ttl=5s'],
  ])
})

test('every script that a page names is there', t => {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const named = [...texts].flatMap(([file, text]) =>
    [...text.matchAll(/npm run (?:--silent )?([a-z][\w:-]*)/g)].map(([, name]) => ({ file, name })),
  )
  t.true(named.length > 30)
  t.deepEqual(
    named.filter(({ name }) => !(name! in scripts)),
    [],
  )
})

test('every error code and every metric that a page names has its row in the reference', t => {
  const codes = new Set(rowsOf(page('reference/errors.md')).map(({ name }) => name))
  const metrics = rowsOf(page('metrics.md')).map(({ name }) => name)
  const isMetric = (name: string) =>
    // A family, as `breakwater_node_hook_*`, or what Prometheus makes of a histogram.
    metrics.some(metric => metric.startsWith(name)) ||
    metrics.includes(name.replace(/_(bucket|sum|count)$/, ''))
  const unknown = [...texts].flatMap(([file, text]) => [
    ...[...text.matchAll(/\bERR_[A-Z_]+\b/g)].map(([name]) => ({
      file,
      name,
      is: codes.has(name),
    })),
    ...[...text.matchAll(/\bbreakwater_\w+/g)].map(([name]) => ({
      file,
      name,
      is: isMetric(name),
    })),
  ])
  t.true(unknown.length > 200)
  t.deepEqual(
    unknown.filter(({ is }) => !is),
    [],
  )
})

test('every file of the repository that a page names is there', t => {
  const named = [...texts].flatMap(([file, text]) =>
    spans(text)
      .filter(code =>
        /^(crates|src|__test__|deploy|scripts|examples|benches)\/[\w./-]+$/.test(code),
      )
      .map(path => ({ file, path })),
  )
  t.true(named.length > 60)
  // Paths of the engine's tests and sources stand alone there, as the page says.
  const places = (file: string) => (file === 'docs/verification.md' ? ['', 'crates/engine'] : [''])
  t.deepEqual(
    named.filter(({ file, path }) => !places(file).some(at => existsSync(join(root, at, path)))),
    [],
  )
})

test('every row of a table has as many cells as its head', t => {
  const broken: string[] = []
  const cells = (line: string) => line.match(/(?<!\\)\|/g)?.length
  for (const [file, text] of texts) {
    const lines = text.replaceAll(FENCE, block => block.replaceAll(/[^\n]/g, '')).split('\n')
    let head: number | undefined
    for (const [at, line] of lines.entries()) {
      if (!line.startsWith('|')) head = undefined
      else if (head !== undefined) {
        if (cells(line) !== head) broken.push(`${file}:${at + 1}: ${cells(line)} bars, not ${head}`)
      } else if (/^\|[-:| ]+\|$/.test(lines[at + 1] ?? '')) head = cells(line)
      else broken.push(`${file}:${at + 1}: a row without a head`)
    }
  }
  t.deepEqual(broken, [])
})
