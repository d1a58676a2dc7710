// The package under test runners that load it anew for each test file, all in one process.
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test from 'ava'

const folder = fileURLToPath(new URL('.', import.meta.url))

interface Report {
  numTotalTests: number
  testResults: { assertionResults: { fullName: string; status: string }[] }[]
}

/** Runs a runner of this folder; the names of its tests by what became of them. */
async function report(script: string, ...args: string[]): Promise<Record<string, string[]>> {
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [script, ...args], {
    cwd: folder,
    // Not the options of this process: it runs TypeScript through a loader of its own.
    env: { ...process.env, NODE_OPTIONS: '' },
  }).catch(error => error)
  if (!stdout.startsWith('{')) throw new Error(`${stdout}\n${stderr}`)
  const { testResults } = JSON.parse(stdout) as Report
  const by: Record<string, string[]> = {}
  for (const { fullName, status } of testResults.flatMap(file => file.assertionResults)) {
    by[status] = [...(by[status] ?? []), fullName.trim()]
  }
  return by
}

test('Jest: two files in one process have errors, listeners and loads of their own', async t => {
  t.timeout(240_000)
  const { passed, ...rest } = await report('node_modules/jest/bin/jest.js', '--runInBand', '--json')
  t.deepEqual(rest, {})
  t.is(passed?.length, 8)
})

for (const pool of ['vmThreads', 'threads', 'forks']) {
  test(`Vitest, ${pool}: two files have errors, listeners and loads of their own`, async t => {
    t.timeout(240_000)
    const args = ['run', '--pool', pool, '--reporter', 'json']
    const { passed, ...rest } = await report('node_modules/vitest/vitest.mjs', ...args)
    t.deepEqual(rest, {})
    t.is(passed?.length, 8)
  })
}
