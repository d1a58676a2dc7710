// Every link between the pages leads somewhere, and every page can be reached from the README.
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, posix } from 'node:path'
import test from 'ava'
import { pages } from '../helpers/examples.ts'
import { root } from './code.ts'

/** A link of a page: the file that it leads to, from the root, and the heading. */
interface Link {
  from: string
  to: string
  heading: string | undefined
}

function linksOf(file: string): Link[] {
  const text = readFileSync(join(root, file), 'utf8').replaceAll(/```[\s\S]*?```/g, '')
  return [...text.matchAll(/\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)/g)].map(
    ([, path = '', heading]) => ({
      from: file,
      to: path === '' ? file : posix.normalize(posix.join(dirname(file), path)),
      heading,
    }),
  )
}

/** The anchors that GitHub gives the headings of a page. */
function anchorsOf(file: string): Set<string> {
  const text = readFileSync(join(root, file), 'utf8').replaceAll(/```[\s\S]*?```/g, '')
  const slugs = [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{Letter}\p{Number} _-]/gu, '')
      .replaceAll(' ', '-'),
  )
  return new Set(slugs)
}

const links = [...pages(), 'CHANGELOG.md'].flatMap(linksOf)

test('every link leads to a file, and every anchor to a heading', t => {
  t.true(links.length > 100)
  const broken = links.filter(({ to, heading }) => {
    if (!existsSync(join(root, to))) return true
    return heading !== undefined && to.endsWith('.md') && !anchorsOf(to).has(heading)
  })
  t.deepEqual(broken, [])
})

test('every page can be reached from the README', t => {
  const reached = new Set(['README.md'])
  for (const page of reached) {
    for (const { from, to } of links) if (from === page && to.endsWith('.md')) reached.add(to)
  }
  t.deepEqual(
    pages().filter(page => !reached.has(page)),
    [],
  )
})
