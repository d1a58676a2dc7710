// Threads of one process that share a cache, each with a session of its own over one Redis: what one
// of them does is no news to the others, and what other processes do is.
import { EventEmitter, once } from 'node:events'
import { Worker } from 'node:worker_threads'
import test, { type ExecutionContext } from 'ava'
import { Cache } from '../../src/index.ts'
import type { Tier } from '../../src/tier/contract.ts'
import { redis as redisTier } from '../../src/tier/redis/index.ts'
import { installed } from '../router/support.ts'
import { connect } from './invalidation.ts'
import { type ServerKind, servers } from './servers.ts'

const check = installed('redis-server') ? test : test.skip

/** A thread that has the cache open. */
class Thread {
  readonly #worker: Worker
  #asked = 0

  constructor(worker: Worker) {
    this.#worker = worker
  }

  static async open(t: ExecutionContext, data: object): Promise<Thread> {
    const worker = new Worker(new URL('thread.mjs', import.meta.url), {
      workerData: data,
      execArgv: [],
    })
    t.teardown(() => worker.terminate())
    await once(worker, 'message')
    return new Thread(worker)
  }

  /** What an act of the thread comes to. */
  async do(act: string, ...args: unknown[]): Promise<unknown> {
    const id = ++this.#asked
    this.#worker.postMessage({ id, act, args })
    for (;;) {
      const [message] = await once(this.#worker, 'message')
      if (message.id === id) return message.answer
    }
  }
}

/** Two threads over one cache, and another process's cache over the same server. */
async function fleet(t: ExecutionContext, mode: 'tracking' | 'bus', { start }: ServerKind) {
  const { port } = await start(t)
  const tierName = 'shared'
  // Long enough for a machine that is busy: what clears a cache is told to nobody but by a loss.
  const invalidation = { mode, bound: '20s' } as const
  const data = { name: `c${Math.random()}`, tierName, redisPort: port, invalidation }
  const [one, two] = [await Thread.open(t, data), await Thread.open(t, data)]
  const { client } = await connect(t, 'ioredis', port)
  const inner = redisTier(client, { timeout: '20s', invalidation })
  const heard = new EventEmitter()
  const tier: Tier = {
    open: host =>
      inner.open({
        ...host,
        name: tierName,
        changed(keys) {
          host.changed(keys)
          for (const key of keys) heard.emit(String(key))
        },
      }),
  }
  const other = new Cache<string, string>({
    name: `c${Math.random()}`,
    max: 1000,
    tier,
    loader: () => undefined,
  })
  t.teardown(() => other.close())
  await other.ready
  let ends = 0
  return {
    one,
    two,
    other,
    /** What each thread was told of the other process's doing, when all have heard all. */
    async told(): Promise<string[][]> {
      const end = `end ${ends++}`
      // The other process hears what the threads did, by a connection of its own.
      await Promise.all([once(heard, `${end} of one`), one.do('put', `${end} of one`, end)])
      await other.put(end, end)
      const lists: string[][] = []
      for (const thread of [one, two]) {
        let list: string[] = []
        while (!list.includes(end)) list = (await thread.do('told')) as string[]
        // What is looked at again first is told later.
        list = (await thread.do('told')) as string[]
        lists.push(list.filter(key => !key.startsWith('end')))
      }
      return lists
    },
  }
}

for (const server of servers) {
  for (const mode of ['tracking', 'bus'] as const) {
    check(
      `what one thread writes stays for the others, by ${mode}, over ${server.title}`,
      async t => {
        const { one, two, told } = await fleet(t, mode, server)
        for (let i = 0; i < 20; i++) {
          await Promise.all([one.do('put', `a${i}`, 'x'), two.do('put', `b${i}`, 'y')])
        }
        for (let i = 0; i < 20; i++) await one.do('put', 'hot', String(i))
        await one.do('clearAndPut', 'c', 'z')
        await two.do('invalidateAndPut', 'tag', 'd', 'z')
        t.deepEqual(await told(), [[], []])
        t.is(await two.do('get', 'c'), 'z')
        t.is(await one.do('get', 'd'), 'z')
      },
    )

    check(
      `what another process writes is heard by all threads, by ${mode}, over ${server.title}`,
      async t => {
        const { one, two, other, told } = await fleet(t, mode, server)
        await one.do('put', 'k', 'ours')
        await other.put('k', 'theirs')
        // Who looks at what another thread wrote may find the same.
        for (const keys of await told()) t.deepEqual(new Set(keys), new Set(['k']))
        t.is(await two.do('get', 'k'), undefined)
        t.is(await two.do('fetch', 'k'), 'theirs')
        for (let i = 0; i < 50; i++) {
          const thread = i % 2 === 0 ? one : two
          await Promise.all([thread.do('put', 'k', `ours ${i}`), other.put('k', `theirs ${i}`)])
          await told()
          t.is(await one.do('fetch', 'k'), await other.fetch('k'))
        }
        other.clear()
        for (const thread of [one, two]) {
          while (!((await thread.do('told')) as string[]).includes('*'));
        }
        t.is(await one.do('fetch', 'k'), undefined)
      },
    )

    check(
      `what one thread reads while another removes it does not stay, by ${mode}, over ${server.title}`,
      async t => {
        const { one, two, other, told } = await fleet(t, mode, server)
        for (let i = 0; i < 100; i++) {
          await other.put('k', `v${i}`)
          await told()
          await Promise.all([one.do('fetch', 'k'), two.do('remove', 'k'), one.do('fetch', 'k')])
          await told()
          t.is(await one.do('get', 'k'), undefined)
        }
      },
    )
  }
}
