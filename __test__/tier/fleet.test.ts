// Several processes share one `breakwater serve` without any Redis: what one writes the others hear of,
// one of them loads a key, and a node that is killed and started again is a store that lost its memory.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { libraries } from './invalidation.ts'
import { node } from './servers.ts'

const program = fileURLToPath(new URL('process.mjs', import.meta.url))

/** A process of the fleet. */
class Member {
  readonly #child: ReturnType<typeof fork>
  #asked = 0

  private constructor(child: ReturnType<typeof fork>) {
    this.#child = child
  }

  static async start(t: ExecutionContext, setup: object): Promise<Member> {
    const child = fork(program, [JSON.stringify(setup)], { execArgv: [] })
    t.teardown(() => child.kill('SIGKILL'))
    await once(child, 'message')
    const member = new Member(child)
    await member.do('ready')
    return member
  }

  /** What an act of the process comes to. */
  async do(act: string, ...args: unknown[]): Promise<unknown> {
    const id = ++this.#asked
    this.#child.send({ id, act, args })
    for (;;) {
      const [message] = (await once(this.#child, 'message')) as [{ id: number; answer: unknown }]
      if (message.id === id) return message.answer
    }
  }

  /** Closes the cache and the client, after which the process ends. */
  async end(): Promise<void> {
    const exited = once(this.#child, 'exit')
    this.#child.send({ id: ++this.#asked, act: 'end', args: [] })
    await exited
  }

  /** Asks until the answer is this one. */
  async until(answer: unknown, act: string, ...args: unknown[]): Promise<void> {
    while (JSON.stringify(await this.do(act, ...args)) !== JSON.stringify(answer)) await sleep(5)
  }
}

const SETUPS = libraries.flatMap(library => [
  { library, protocol: 2, mode: 'tracking', threads: 1 },
  { library, protocol: 3, mode: 'tracking', threads: 3 },
  { library, protocol: 3, mode: 'bus', threads: 2 },
])

for (const { threads, ...setup } of SETUPS) {
  const { library, protocol, mode } = setup
  const title = `${library}, RESP${protocol}, ${mode}, a node of ${threads} threads`

  test.serial(`processes share a node: ${title}`, async t => {
    t.timeout(180_000)
    const { port } = await node(t, threads)
    const fleet = await Promise.all([0, 1, 2].map(() => Member.start(t, { ...setup, port })))
    const [one, two, three] = fleet as [Member, Member, Member]

    // Of all that ask at once one loads, and all have what it loaded.
    const found = await Promise.all(fleet.map(member => member.do('fetch', 'cold')))
    t.is(new Set(found).size, 1)
    const loads = (await Promise.all(fleet.map(member => member.do('loads')))) as number[]
    t.is(
      loads.reduce((sum, count) => sum + count),
      1,
    )

    // What one writes the others forget, and find.
    await one.do('put', 'k', 'first', { tags: ['t'] })
    for (const member of fleet) await member.until('first', 'fetch', 'k')
    await two.do('put', 'k', 'second', { tags: ['t'] })
    for (const member of fleet) await member.until('second', 'fetch', 'k')
    await three.do('remove', 'k')
    for (const member of [one, two]) await member.until(null, 'get', 'k')

    await one.do('put', 'tagged', 'v', { tags: ['t'] })
    for (const member of fleet) await member.until('v', 'fetch', 'tagged')
    await two.do('tag', 't')
    for (const member of [one, three]) await member.until(null, 'get', 'tagged')

    await one.do('put', 'a', 'v')
    for (const member of fleet) await member.until('v', 'fetch', 'a')
    await three.do('clear')
    for (const member of [one, two]) await member.until(null, 'get', 'a')
    await Promise.all(fleet.map(member => member.end()))
    t.pass()
  })
}

for (const library of libraries) {
  test.serial(
    `a node that is killed and started again has lost its memory: ${library}`,
    async t => {
      t.timeout(180_000)
      const first = await node(t, 2)
      const setup = { library, protocol: 2, mode: 'tracking', port: first.port }
      const fleet = await Promise.all([0, 1].map(() => Member.start(t, setup)))
      const [one, two] = fleet as [Member, Member]
      await one.do('put', 'k', 'before')
      await two.until('before', 'fetch', 'k')
      await first.stop('SIGKILL')
      for (const member of fleet) {
        while (!((await member.do('states')) as string[]).includes('lost')) await sleep(5)
        t.is(await member.do('get', 'k'), null, 'it may have changed unheard')
      }
      await node(t, 2, '--port', `${first.port}`)
      for (const member of fleet) {
        while (((await member.do('states')) as string[]).at(-1) !== 'regained') await sleep(5)
      }
      // Nobody has it any more: somebody loads it.
      t.regex(String(await two.do('fetch', 'k')), /^k by \d+$/)
      await one.do('put', 'k', 'after')
      await two.until('after', 'fetch', 'k')
      await Promise.all(fleet.map(member => member.end()))
    },
  )
}
