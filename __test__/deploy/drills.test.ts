// Every runbook has a drill that provokes it, and every drill's cure helps.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { page } from '../docs/page.ts'
import { installed } from '../router/support.ts'

const MAIN = fileURLToPath(new URL('../../scripts/drills/main.mjs', import.meta.url))
const NAMES = [...page('operations.md').matchAll(/^`npm run drill -- ([a-z-]+)`$/gm)].map(
  m => m[1]!,
)

/** Runs drills to their end. */
async function drill(...names: string[]) {
  const child = spawn(process.execPath, [MAIN, ...names])
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', text => (output += text))
  const [code] = await once(child, 'close')
  return { code, output }
}

test('a drill that is not is refused, and those that are are the runbooks', async t => {
  t.timeout(120_000)
  const { code, output } = await drill('fire')
  t.is(code, 2)
  t.is(output, `there is no drill fire; there are ${NAMES.join(', ')}\n`)
})

test('every runbook says what is seen, the command, the metric and the cure', t => {
  const [, books = ''] = page('operations.md').split('## Runbooks\n')
  const sections = books.split(/^### /m).slice(1)
  t.is(sections.length, NAMES.length)
  for (const section of sections) {
    for (const part of ['Seen', 'Command', 'Metric', 'Cure']) {
      t.true(section.includes(`- **${part}.** `), `${section.split('\n')[0]}: ${part}`)
    }
  }
})

if (installed('redis-server')) {
  for (const name of NAMES) {
    test.serial(`the drill ${name}: provoked, shown, cured`, async t => {
      t.timeout(240_000)
      const { code, output } = await drill(name)
      t.is(code, 0, output)
      for (const step of ['provoked', 'shows', 'cure', 'passed']) {
        t.regex(output, new RegExp(`^${name} +${step} `, 'm'))
      }
    })
  }
}
