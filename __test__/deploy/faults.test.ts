// Faults while clients ask: nobody hangs, no reply is wrong, the node goes on and back to where it was. At a
// low rate here; `npm run faults` plays them at 10,000 requests a second, or for hours.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { installed } from '../router/support.ts'

const MAIN = fileURLToPath(new URL('../../scripts/faults/main.mjs', import.meta.url))

/** Plays faults to their end. */
async function play(...flags: string[]) {
  const child = spawn(process.execPath, [MAIN, ...flags])
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', text => (output += text))
  const [code] = await once(child, 'close')
  return { code, output }
}

const can = ['redis-server', 'redis-cli', 'prlimit'].every(installed)

for (const mode of ['threads', 'processes']) {
  ;(can ? test.serial : test.skip)(
    `${mode}: every reply is right or an error, in time, whatever fails`,
    async t => {
      t.timeout(600_000)
      const flags = [
        '--mode',
        mode,
        '--rate',
        '300',
        '--clients',
        '20',
        '--each',
        '300',
        '--deadline',
        '5000',
      ]
      const { code, output } = await play(...flags)
      t.is(code, 0, output)
      t.regex(output, /"hung":0,"wrong":0/)
      t.regex(output, /^passed/m)
    },
  )
}

for (const mode of ['threads', 'processes']) {
  ;(can ? test.serial : test.skip)(
    `${mode}: a rolling restart closes no connection over a request that was received, twenty reloads disturb nobody`,
    async t => {
      t.timeout(600_000)
      const load = ['--mode', mode, '--rate', '2000', '--clients', '50', '--each', '300']
      const faults = ['--only', 'rolling restart', '--only', 'twenty reloads']
      const { code, output } = await play(...load, '--deadline', '10000', ...faults)
      t.is(code, 0, output)
      const [, closed] = /^rolling restart .* (\d+) connections closed, .* 0 dropped/m.exec(output)!
      t.true(Number(closed) >= 50)
      t.regex(output, /^twenty reloads .*, 0 disturbed/m)
    },
  )
}

test('what cannot be played is refused, with what there is', async t => {
  t.timeout(120_000)
  for (const [flags, message] of [
    [['--only', 'fire'], /^there is no fault 'fire'; there are store killed, /],
    [['--mode', 'fibres'], /^--mode must be 'threads' or 'processes'/],
    [['--rate', '0'], /^--rate must be a whole number from 1 on/],
    [['--for', 'ever'], /^--for must be a duration/],
  ] as const) {
    const { code, output } = await play(...flags)
    t.is(code, 2)
    t.regex(output, message)
  }
})
