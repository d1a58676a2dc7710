// Clients with CLIENT TRACKING in front of a Redis Cluster: whatever moves, no copy of theirs stays
// wrong.
import test, { type ExecutionContext } from 'ava'
import { Raw, serve } from '../support.ts'
import { bulk, cluster, hasCluster, type Member, move, promote, until } from './cluster.ts'
import { busy, slotsOf } from './load.ts'
import { PATIENT } from './support.ts'

const clustered = hasCluster ? test : test.skip

/** A client that keeps what it reads until it is told that it has changed. */
class NearCache {
  readonly #raw: Raw
  readonly #copies = new Map<string, string>()
  #told = 0

  private constructor(raw: Raw) {
    this.#raw = raw
  }

  static async open(t: ExecutionContext, port: number, ...tracking: string[]): Promise<NearCache> {
    const raw = await Raw.open(t, port)
    await raw.send('HELLO', '3')
    t.is(await raw.send('CLIENT', 'TRACKING', 'ON', ...tracking), '+OK\r\n')
    return new NearCache(raw)
  }

  /** How often it was told something. */
  get told(): number {
    return this.#told
  }

  copy(key: string): string | undefined {
    return this.#copies.get(key)
  }

  /** Sends a command; hears what comes before its reply. */
  async #send(...words: string[]): Promise<string> {
    let reply = await this.#raw.send(...words)
    while (reply.startsWith('>')) {
      this.#hear(reply)
      reply = String((await this.#raw.replies(1))[0] ?? '')
    }
    return reply
  }

  #hear(push: string): void {
    this.#told++
    if (push.includes('invalidate\r\n_\r\n')) this.#copies.clear()
    for (const [, key] of push.matchAll(/\r\n([^\r]+)\r\n/g)) this.#copies.delete(key!)
  }

  async read(key: string): Promise<void> {
    const reply = await this.#send('GET', key)
    this.#copies.set(key, reply.startsWith('_') ? '-1' : bulk(reply))
  }

  /** Hears all that is there to be heard. */
  async hear(): Promise<void> {
    await this.#send('PING')
  }
}

for (const tracking of [[], ['BCAST', 'PREFIX', 'c']]) {
  const how = tracking[0] ?? 'of what is read'
  clustered(`slots move and a master changes under clients that track: ${how}`, async t => {
    t.timeout(300_000)
    const made = await cluster(t, 3, 1)
    const [a, b, c] = made.masters as [Member, Member, Member]
    const all = [...made.masters, ...made.replicas]
    const node = await serve(t, '--threads', '2', '--store', made.url, ...PATIENT)
    const load = await busy(t, node.port)
    const near = await NearCache.open(t, node.port, ...tracking)
    const keys = Array.from({ length: 40 }, (_, n) => `c1:${n}`)
    // It hears first: who holds a copy of every key sends nothing else, and would hear of nothing.
    const readAll = async () => {
      await near.hear()
      for (const key of keys) if (near.copy(key) === undefined) await near.read(key)
    }
    await until(() => load.made() > 300)
    for (const slot of await slotsOf(a.raw, 1)) {
      await readAll()
      if (slot < 5461 || slot >= 10_922) await move(slot, slot < 5461 ? a : c, b, all)
    }
    const replica = made.replicas[1]!
    await promote(replica)
    await readAll()
    const then = load.made()
    await until(() => load.made() > then + 200)
    await readAll()
    const { errors } = await load.stop()
    t.deepEqual(errors, [])
    t.true(near.told > 0)
    // What has not changed since it was told of stays; all else was told of, or is about to be.
    const client = await Raw.open(t, node.port)
    await until(async () => {
      await near.hear()
      const wrong = []
      for (const key of keys) {
        const got = await client.send('GET', key)
        const value = got === '$-1\r\n' ? '-1' : bulk(got)
        if ((near.copy(key) ?? value) !== value) wrong.push(key)
      }
      return wrong.length === 0
    })
    // They hear of keys of every slot.
    await readAll()
    for (const key of keys) await client.send('SET', key, 'last')
    await until(async () => {
      await near.hear()
      return keys.every(key => near.copy(key) === undefined)
    })
  })
}

clustered(
  'a slot that moves is told of to those who have read its keys, and of no other',
  async t => {
    t.timeout(300_000)
    const made = await cluster(t, 2, 0)
    const [a, b] = made.masters as [Member, Member]
    const node = await serve(t, '--threads', '2', '--store', made.url, ...PATIENT)
    const writer = await Raw.open(t, node.port)
    const near = await NearCache.open(t, node.port)
    // Of three slots of the first master, each with two keys.
    const tags = new Map<number, string>()
    for (let n = 0; tags.size < 3; n++) {
      const slot = Number((await a.raw.send('CLUSTER', 'KEYSLOT', `t${n}`)).slice(1))
      if (slot < 8192) tags.set(slot, `t${n}`)
    }
    const [[moved, tag], ...others] = [...tags] as [[number, string], ...[number, string][]]
    const stay = others.flatMap(([, tag]) => [`{${tag}}:1`, `{${tag}}:2`])
    const go = [`{${tag}}:1`, `{${tag}}:2`]
    for (const key of [...go, ...stay]) await writer.send('SET', key, 'v')
    // The second of the slot is not there: nobody tells of it when the others are moved.
    await writer.send('DEL', go[1]!)
    for (const key of [...go, ...stay]) await near.read(key)
    await near.hear()
    for (const key of stay) t.is(near.copy(key), 'v')
    await move(moved, a, b, [a, b])
    await until(async () => {
      await near.hear()
      return go.every(key => near.copy(key) === undefined)
    })
    for (const key of stay) t.is(near.copy(key), 'v')
    // Of those that stay it still hears, and of those that have moved once it has read them again.
    for (const key of go) await near.read(key)
    for (const key of [...go, ...stay]) await writer.send('SET', key, 'w')
    await until(async () => {
      await near.hear()
      return [...go, ...stay].every(key => near.copy(key) === undefined)
    })
  },
)
