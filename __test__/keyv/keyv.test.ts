import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test from 'ava'

const folder = fileURLToPath(new URL('.', import.meta.url))

test("Keyv's own test suite passes with Keyv 5 and 6", async t => {
  t.timeout(120_000)
  const vitest = ['node_modules/vitest/vitest.mjs', 'run', 'suite.spec.ts', '--reporter', 'json']
  const { stdout } = await promisify(execFile)(process.execPath, vitest, {
    cwd: folder,
    // Not the options of this process: it runs TypeScript through a loader of its own.
    env: { ...process.env, NODE_OPTIONS: '' },
  }).catch(error => error)
  const { testResults } = JSON.parse(stdout)
  const tests: { fullName: string; status: string }[] = testResults[0].assertionResults
  for (const version of ['Keyv 5', 'Keyv 6']) {
    const own = tests.filter(({ fullName }) => fullName.startsWith(version))
    t.is(own.length, 42)
    t.deepEqual(
      own.filter(({ status }) => status !== 'passed'),
      [],
    )
  }
})
