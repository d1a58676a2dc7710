// A pool of worker threads: each key has its worker, and every task is answered once.
import { execFileSync } from 'node:child_process'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import {
  createPool,
  type InvalidOptionError,
  isBreakwaterError,
  type Pool,
  type PoolOptions,
  type WorkerDeath,
} from 'breakwater/routing'
import { random } from '../helpers/random.ts'

const file = new URL('./tasks/tasks.mjs', import.meta.url)

/** What the workers do: see tasks/tasks.mjs. */
type Task =
  | {
      do: 'echo' | 'die' | 'crash' | 'throw' | 'spin' | 'buffer' | 'data'
      key: string
      value?: unknown
    }
  | { do: 'wait'; key: string; gate: SharedArrayBuffer }
  | { do: 'abort'; key: string; seen: SharedArrayBuffer }

type Echo = { value: unknown; key: string; worker: number; times: number }

/** A pool until the test ends. */
function pool(t: ExecutionContext, options: Partial<PoolOptions<Task>> = {}): Pool<Task, unknown> {
  t.timeout(240_000)
  const made = createPool<Task, unknown>({ file, route: task => task.key, workers: 3, ...options })
  t.teardown(() => made.close())
  return made
}

const echo = (of: Pool<Task, unknown>, key: string, value?: unknown) =>
  of.run({ do: 'echo', key, value }) as Promise<Echo>

/** A gate that tasks wait at. */
function gate() {
  const shared = new SharedArrayBuffer(4)
  return { gate: shared, open: () => void Atomics.store(new Int32Array(shared), 0, 1) }
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await pause(2)
}

/** Keys of each worker. */
async function keysOf(of: Pool<Task, unknown>, count = 60): Promise<string[][]> {
  const keys: string[][] = []
  for (let i = 0; i < count; i++) {
    const { worker, key } = await echo(of, `key:${i}`)
    keys[worker] ??= []
    keys[worker].push(key)
  }
  return keys
}

test('all tasks of a key meet the same worker, in their order', async t => {
  const workers = pool(t)
  const all = Array.from({ length: 600 }, (_, i) => echo(workers, `key:${i % 40}`, i))
  const byKey = new Map<string, Echo[]>()
  for (const { status, ...rest } of await Promise.allSettled(all)) {
    t.is(status, 'fulfilled')
    const { value } = rest as { value: Echo }
    byKey.set(value.key, [...(byKey.get(value.key) ?? []), value])
  }
  for (const echoes of byKey.values()) {
    t.is(new Set(echoes.map(({ worker }) => worker)).size, 1)
    t.deepEqual(
      echoes.map(({ times }) => times),
      Array.from({ length: 15 }, (_, i) => i + 1),
    )
  }
  const { workers: each, done, failed, running, waiting } = workers.stats()
  t.true(each.every(({ done, isUp }) => done > 0 && isUp))
  t.deepEqual([done, failed, running, waiting], [600, 0, 0, 0])
  t.true(Math.abs(each.reduce((sum, { share }) => sum + share, 0) - 1) < 1e-9)
})

test('a call may name the key itself', async t => {
  const workers = pool(t)
  const { worker } = await echo(workers, 'a')
  const other = await workers.run({ do: 'echo', key: 'b' }, { key: 'a' })
  t.is((other as Echo).worker, worker)
  t.is((other as Echo).key, 'a')
})

test('what a task throws is what the caller gets', async t => {
  const workers = pool(t)
  const error = await t.throwsAsync(workers.run({ do: 'throw', key: 'far' }), {
    instanceOf: RangeError,
    message: 'too far',
    code: 'E_FAR',
  })
  t.is((error as { key?: string }).key, 'far')
  t.is(workers.stats().failed, 1)
})

test('bytes are moved there and back', async t => {
  const workers = pool(t)
  const bytes = new Uint8Array(1_000)
  const { buffer } = bytes
  const task: Task = { do: 'buffer', key: 'a', value: bytes }
  const result = (await workers.run(task, { transfer: [buffer] })) as Uint8Array
  t.is(buffer.byteLength, 0)
  t.true(result.length === 1_000 && result.every(byte => byte === 7))
})

test('every worker has its own copy of the data', async t => {
  const data = { region: 'eu', hosts: ['a', 'b'] }
  const workers = pool(t, { data })
  t.deepEqual(await workers.run({ do: 'data', key: 'a' }), data)
})

test('no more tasks are done at once than was said, and no more wait', async t => {
  const workers = pool(t, { workers: 1, concurrency: 2, queue: 3 })
  await echo(workers, 'a')
  const { gate: shared, open } = gate()
  const tasks = Array.from({ length: 5 }, () => workers.run({ do: 'wait', key: 'a', gate: shared }))
  await until(() => workers.stats().running === 2)
  t.is(workers.stats().waiting, 3)
  const refused = await t.throwsAsync(echo(workers, 'a'), { code: 'ERR_POOL_BUSY' })
  t.like(refused, { worker: 0, waiting: 3 })
  open()
  t.deepEqual(await Promise.all(tasks), [0, 0, 0, 0, 0])
  t.is((await echo(workers, 'a')).worker, 0)
})

test('a task that takes too long rejects, and hears that nobody waits', async t => {
  const workers = pool(t)
  await echo(workers, 'a')
  const seen = new SharedArrayBuffer(4)
  const late = workers.run({ do: 'abort', key: 'a', seen }, { timeout: 20 })
  t.like(await t.throwsAsync(late, { code: 'ERR_TASK_TIMEOUT' }), { timeout: 20 })
  await until(() => Atomics.load(new Int32Array(seen), 0) === 1)
  t.is(workers.stats().workers.filter(({ restarts }) => restarts > 0).length, 0)
})

test('a caller gives up by its signal, before or after the task began', async t => {
  const workers = pool(t, { workers: 1, concurrency: 1 })
  const { gate: shared, open } = gate()
  const first = workers.run({ do: 'wait', key: 'a', gate: shared })
  await until(() => workers.stats().running === 1)
  const [waits, runs] = [new AbortController(), new AbortController()]
  const second = workers.run({ do: 'echo', key: 'a' }, { signal: waits.signal })
  await until(() => workers.stats().waiting === 1)
  waits.abort(new Error('not any more'))
  await t.throwsAsync(second, { message: 'not any more' })
  t.is(workers.stats().waiting, 0)
  open()
  await first
  const seen = new SharedArrayBuffer(4)
  const third = workers.run({ do: 'abort', key: 'a', seen }, { signal: runs.signal })
  await until(() => workers.stats().running === 1)
  runs.abort()
  await t.throwsAsync(third, { name: 'AbortError', any: true })
  await until(() => Atomics.load(new Int32Array(seen), 0) === 1)
  const over = AbortSignal.abort(new Error('from the start'))
  await t.throwsAsync(workers.run({ do: 'echo', key: 'a' }, { signal: over }), {
    message: 'from the start',
  })
  t.is((await echo(workers, 'a')).worker, 0)
})

for (const way of ['die', 'crash'] as const) {
  test(`a worker that ends (${way}) fails its task, is replaced, and others are untouched`, async t => {
    const deaths: WorkerDeath[] = []
    const workers = pool(t, { onWorkerDeath: death => void deaths.push(death) })
    const [mine, others] = await keysOf(workers)
    const [key, other] = [mine?.[0] as string, others?.[0] as string]
    const { gate: shared, open } = gate()
    const beside = workers.run({ do: 'wait', key: other, gate: shared })
    const lost = workers.run({ do: way, key })
    const error = await t.throwsAsync(lost, { code: 'ERR_WORKER_DIED' })
    t.regex(String(error?.cause), /ended with code 3|nobody catches/)
    // The replacement has the same keys, and begins anew. Nobody else does.
    t.like(await echo(workers, key), { worker: 0, times: 1 })
    open()
    t.is(await beside, 1)
    t.like(await echo(workers, other), { worker: 1, times: 3 })
    t.deepEqual(
      workers.stats().workers.map(({ restarts }) => restarts),
      [1, 0, 0],
    )
    t.is(deaths.length, 1)
    t.like(deaths[0], { worker: 0, failed: 1, retried: 0 })
  })
}

test('of ten thousand tasks none is lost while a worker dies again and again', async t => {
  for (const retries of [0, 3]) {
    const workers = pool(t, { workers: 4, retries, queue: Number.POSITIVE_INFINITY })
    const keys = await keysOf(workers)
    const [doomed, ...others] = keys as [string[], ...string[][]]
    const next = random(retries + 1)
    const all = keys.flat()
    const tasks = Array.from({ length: 5_000 }, (_, i) => {
      const key = all[Math.floor(next() * all.length)] as string
      const of = i % 1_000 === 999 ? doomed : undefined
      const task = of ? workers.run({ do: 'die', key: of[0] as string }) : echo(workers, key, i)
      return task.then(
        result => ({ i, key, value: (result as Echo).value, code: '' }),
        error => ({ i, key, value: undefined, code: (error as { code: string }).code }),
      )
    })
    const mine = new Set(doomed)
    for (const { i, key, value, code } of await Promise.all(tasks)) {
      if (code === '') t.is(value, i)
      else
        t.true(
          code === 'ERR_WORKER_DIED' && (i % 1_000 === 999 || mine.has(key)),
          `${key}: ${code}`,
        )
    }
    const { workers: stats } = workers.stats()
    t.true((stats[0]?.restarts ?? 0) > 0)
    // The others notice nothing: they know all that they did.
    t.deepEqual(
      stats.slice(1).map(({ restarts, failed }) => [restarts, failed]),
      others.map(() => [0, 0]),
    )
    await workers.drain()
  }
})

test('what waits for a worker that dies is done by its replacement', async t => {
  const workers = pool(t, { workers: 1, concurrency: 1 })
  await echo(workers, 'a')
  const lost = workers.run({ do: 'die', key: 'a' })
  const after = Array.from({ length: 20 }, (_, i) => echo(workers, 'a', i))
  await t.throwsAsync(lost, { code: 'ERR_WORKER_DIED' })
  const values = (await Promise.all(after)).map(({ value }) => value)
  t.deepEqual(
    values,
    Array.from({ length: 20 }, (_, i) => i),
  )
})

test('tasks that may be done twice go to the replacement, as often as was said', async t => {
  const workers = pool(t, { workers: 1, retries: 2 })
  await echo(workers, 'a')
  const { gate: shared, open } = gate()
  const waits = workers.run({ do: 'wait', key: 'a', gate: shared })
  await t.throwsAsync(workers.run({ do: 'die', key: 'a' }), { code: 'ERR_WORKER_DIED' })
  open()
  // It died with the other three times, and may live after two.
  const result = await waits.catch((error: Error) => error)
  t.is((result as { code?: string }).code, 'ERR_WORKER_DIED')
  t.is((await echo(workers, 'a')).worker, 0)
  t.is(workers.stats().workers[0]?.restarts, 3)
})

test('a worker that computes without end is replaced', async t => {
  const workers = pool(t, { stuckAfter: 50 })
  const [mine] = await keysOf(workers)
  const key = mine?.[0] as string
  await t.throwsAsync(workers.run({ do: 'spin', key }, { timeout: 50 }), {
    code: 'ERR_TASK_TIMEOUT',
  })
  t.like(await echo(workers, key), { worker: 0, times: 1 })
})

test('a module that cannot be loaded is told of, and nothing hangs', async t => {
  for (const wrong of ['./tasks/missing.mjs', './tasks/empty.mjs']) {
    const deaths: WorkerDeath[] = []
    const workers = pool(t, {
      file: new URL(wrong, import.meta.url),
      workers: 1,
      onWorkerDeath: death => void deaths.push(death),
    })
    const error = await t.throwsAsync(echo(workers, 'a'), { code: 'ERR_WORKER_DIED' })
    t.regex(String(error?.cause), /missing|default export/)
    t.true(deaths.length > 0)
  }
})

test('a hot key is spread, others stay', async t => {
  const workers = pool(t, { workers: 4, hot: { share: 0.3, copies: 2 }, concurrency: 4 })
  const seen = new Map<string, Set<number>>()
  for (let round = 0; round < 60; round++) {
    const keys = Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? 'hot' : `cold:${i}`))
    for (const { key, worker } of await Promise.all(keys.map(key => echo(workers, key)))) {
      seen.set(key, (seen.get(key) ?? new Set()).add(worker))
    }
  }
  for (const [key, of] of seen) t.is(of.size, key === 'hot' ? 2 : 1, key)
  t.deepEqual(workers.stats().hot, ['hot'])
  t.true(workers.stats().workers.some(({ lent }) => lent > 0))
})

test('a hot key that is hot no more goes home', async t => {
  const workers = pool(t, { workers: 4, hot: true })
  for (let i = 0; i < 20; i++)
    await Promise.all(Array.from({ length: 50 }, () => echo(workers, 'h')))
  t.deepEqual(workers.stats().hot, ['h'])
  for (let i = 0; i < 200; i++) {
    await Promise.all(Array.from({ length: 50 }, (_, n) => echo(workers, `k${i}:${n}`)))
  }
  t.deepEqual(workers.stats().hot, [])
})

test('draining finishes what was taken and takes no more', async t => {
  const workers = pool(t, { workers: 2, concurrency: 1 })
  const { gate: shared, open } = gate()
  const tasks = Array.from({ length: 6 }, (_, i) =>
    workers.run({ do: 'wait', key: `k${i}`, gate: shared }),
  )
  await until(() => workers.stats().running > 0)
  const drained = workers.drain()
  await t.throwsAsync(echo(workers, 'a'), { code: 'ERR_POOL_CLOSED' })
  open()
  t.is((await Promise.all(tasks)).length, 6)
  await drained
  t.true(workers.stats().workers.every(({ isUp }) => !isUp))
  await workers.drain()
  await workers.close()
})

test('closing rejects what is not done, whatever the workers are at', async t => {
  const workers = pool(t, { workers: 2, concurrency: 1 })
  const { gate: shared } = gate()
  const tasks = Array.from({ length: 6 }, (_, i) =>
    workers.run({ do: 'wait', key: `k${i}`, gate: shared }),
  )
  await until(() => workers.stats().running === 2)
  const settled = Promise.allSettled(tasks)
  await workers.close()
  for (const result of await settled) {
    t.is(result.status === 'rejected' && result.reason.code, 'ERR_POOL_CLOSED')
  }
})

test('an idle pool does not keep the process, a task does', t => {
  t.timeout(240_000)
  const program = fileURLToPath(new URL('./tasks/idle.mjs', import.meta.url))
  t.is(execFileSync(process.execPath, [program], { encoding: 'utf8' }), 'value 5\n')
})

test('what cannot be is named', async t => {
  const route = (task: Task) => task.key
  const cases: [object | null, string][] = [
    [null, 'options'],
    [{ route }, 'file'],
    [{ file: 'tasks.js', route }, 'file'],
    [{ file: new URL('https://example.org/tasks.js'), route }, 'file'],
    [{ file: 7, route }, 'file'],
    [{ file }, 'route'],
    [{ file, route: 'key' }, 'route'],
    [{ file, route, workers: 0 }, 'workers'],
    [{ file, route, workers: 1e6 }, 'workers'],
    [{ file, route, concurrency: 0 }, 'concurrency'],
    [{ file, route, queue: -1 }, 'queue'],
    [{ file, route, timeout: 'soon' }, 'timeout'],
    [{ file, route, stuckAfter: -1 }, 'stuckAfter'],
    [{ file, route, retries: 0.5 }, 'retries'],
    [{ file, route, hot: 5 }, 'hot'],
    [{ file, route, hot: { share: 1 } }, 'hot.share'],
    [{ file, route, hot: { copies: 1 } }, 'hot.copies'],
    [{ file, route, thread: { stdin: true } }, 'thread.stdin'],
    [{ file, route, onWorkerDeath: 1 }, 'onWorkerDeath'],
    [{ file, route, worker: 1 }, 'worker'],
    [{ file, route, data: () => {} }, 'data'],
  ]
  for (const [options, option] of cases) {
    const error = t.throws(() => createPool(options as never), undefined, option)
    t.true(isBreakwaterError(error), `${option}: ${error}`)
    t.is((error as InvalidOptionError).option, option)
  }
  const workers = pool(t, { workers: 1, route: task => (task as { key: string }).key })
  const calls: [Promise<unknown>, string][] = [
    [workers.run({ do: 'echo' } as never), 'key'],
    [workers.run({ do: 'echo', key: 'a', value: () => {} }), 'task'],
    [workers.run({ do: 'echo', key: 'a' }, { timeout: 'x' as never }), 'options.timeout'],
    [workers.run({ do: 'echo', key: 'a' }, { signal: {} as never }), 'options.signal'],
    [workers.run({ do: 'echo', key: 'a' }, { transfer: 5 as never }), 'options.transfer'],
    [workers.run({ do: 'echo', key: 'a' }, { transfre: [] } as never), 'options.transfre'],
  ]
  for (const [call, option] of calls) {
    const error = await t.throwsAsync(call, { code: 'ERR_INVALID_OPTION' }, option)
    t.is((error as InvalidOptionError).option, option)
  }
})

const linux = process.platform === 'linux' ? test : test.skip

linux('a worker that cannot begin for want of descriptors takes none for good', t => {
  const crowded = fileURLToPath(new URL('./tasks/crowded.mjs', import.meta.url))
  const bounded = ['-c', 'ulimit -n 100 && exec "$0" "$@"', process.execPath, crowded]
  const { before, after } = JSON.parse(execFileSync('bash', bounded, { encoding: 'utf8' }))
  t.is(after, before)
})
