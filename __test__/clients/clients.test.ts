// Programs of other people's clients, unchanged: what they are answered through a node in front of a
// store is what the store itself answers.
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test from 'ava'
import { cluster } from '../router/store/cluster.ts'
import { front, hasRedis } from '../router/store/support.ts'
import { serve } from '../router/support.ts'

const execute = promisify(execFile)
const path = (name: string) => fileURLToPath(new URL(name, import.meta.url))
const python = path(process.platform === 'win32' ? '.venv/Scripts/python.exe' : '.venv/bin/python')

const fronted = hasRedis ? test : test.skip
const fromPython = hasRedis && hasPython() ? test : test.skip

/** Whether redis-py is installed; an error if the environment demands it. */
function hasPython(): boolean {
  if (existsSync(path('.venv/installed'))) return true
  if (process.env.BREAKWATER_REQUIRE_PYTHON === '1') throw new Error(`${python} is missing`)
  console.warn('redis-py is not installed: the tests that need it are skipped')
  return false
}

/** All that a program prints. */
async function printed(program: string, ...args: string[]): Promise<string> {
  // Not the options of this process: it runs TypeScript through a loader of its own.
  const env = { ...process.env, NODE_OPTIONS: '', PYTHONDONTWRITEBYTECODE: '1' }
  const { stdout, stderr } = await execute(program, args, { env, maxBuffer: 1 << 26 })
  return stdout + stderr
}

for (const protocol of ['2', '3']) {
  fromPython(`redis-py, RESP${protocol}: everyday work`, async t => {
    t.timeout(300_000)
    const { store, node } = await front(t, ['--threads', '2'])
    const program = path('everyday.py')
    const direct = await printed(python, program, `${store.port}`, protocol)
    t.true(direct.includes('# connections'))
    t.deepEqual(
      (await printed(python, program, `${node.port}`, protocol)).split('\n'),
      direct.split('\n'),
    )
  })
}

for (const protocol of ['2', '3']) {
  fromPython(`redis-py's RedisCluster, RESP${protocol}: everyday work`, async t => {
    t.timeout(300_000)
    const made = await cluster(t, 3, 0)
    const node = await serve(t, '--threads', '2', '--store', made.url)
    const program = path('cluster.py')
    const direct = await printed(python, program, `${made.masters[0]!.port}`, protocol)
    t.true(direct.includes('empty -> [None, None, None]'))
    t.deepEqual(
      (await printed(python, program, `${node.port}`, protocol)).split('\n'),
      direct.split('\n'),
    )
  })
}

fronted('BullMQ: everyday work', async t => {
  t.timeout(300_000)
  const noEviction = ['--maxmemory-policy', 'noeviction']
  const { store, node } = await front(t, ['--threads', '2'], noEviction)
  const program = path('queues.mjs')
  const direct = await printed(process.execPath, program, `${store.port}`)
  t.true(direct.includes('keys left'))
  t.deepEqual(
    (await printed(process.execPath, program, `${node.port}`)).split('\n'),
    direct.split('\n'),
  )
})
