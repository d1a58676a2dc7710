// A rolling restart and many reloads while clients ask: no request fails, and no connection ends but by the
// drain's own rule, with threads and with processes.
import { setTimeout as sleep } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { createRouter, type RouterOptions } from 'breakwater/router'
import { hasRedis } from './store/support.ts'
import { Raw, redis } from './support.ts'

const fronted = hasRedis ? test.serial : test.skip

/** How many clients ask, and how often the configuration changes. */
const CLIENTS = 24
const RELOADS = 20

/** What happened to a client. */
interface Story {
  replies: number
  /** How often its connection ended while nothing was asked, and while a reply was awaited. */
  disconnected: number
  unanswered: number
  wrong: string[]
}

/** A client that asks, looks at each reply, and comes again when it is disconnected; until `ends`. */
async function ask(t: ExecutionContext, port: number, at: number, ends: () => boolean) {
  const story: Story = { replies: 0, disconnected: 0, unanswered: 0, wrong: [] }
  let client = await Raw.open(t, port)
  let [written, maybe] = [0, 0]
  const send = async (...words: string[]) => {
    while (client.ended) {
      story.disconnected++
      client = await Raw.open(t, port)
    }
    const reply = await client.send(...words)
    if (reply === '') {
      // It was disconnected at the very moment at which it asked.
      story.unanswered++
      client = await Raw.open(t, port)
    } else {
      story.replies++
    }
    return reply
  }
  for (let n = 0; !ends(); n++) {
    if (n % 4 === 0) {
      maybe = n + 1
      const reply = await send('SET', `own:${at}`, `${maybe}`)
      if (reply === '+OK\r\n') written = maybe
      else if (reply !== '') story.wrong.push(`SET gave ${reply}`)
    } else if (n % 4 === 1) {
      const reply = await send('GET', `own:${at}`)
      const value = Number(/^\$\d+\r\n(\d+)\r\n$/.exec(reply)?.[1])
      if (reply !== '' && value !== written && value !== maybe) {
        story.wrong.push(`GET gave ${reply} after ${written}, or ${maybe}, was written`)
      }
    } else {
      const reply = await send('GET', `shared:${n % 7}`)
      if (reply !== '' && reply !== `$7\r\nvalue ${n % 7}\r\n`)
        story.wrong.push(`GET gave ${reply}`)
    }
    if (n % 16 === 0) await sleep(1)
  }
  return story
}

for (const mode of ['threads', 'processes'] as const) {
  fronted(`${mode}: twenty reloads and a rolling restart under load fail no request`, async t => {
    t.timeout(300_000)
    const behind = await redis(t)
    const direct = await Raw.open(t, behind.port)
    for (let n = 0; n < 7; n++) await direct.send('SET', `shared:${n}`, `value ${n}`)
    const store = `redis://127.0.0.1:${behind.port}`
    const given: RouterOptions = { mode, workers: 2, maxBytes: '64mb', store }
    const router = createRouter(given)
    t.teardown(() => router.close())
    const { port } = await router.listen({ port: 0 })
    let ends = false
    const asking = Array.from({ length: CLIENTS }, (_, at) => ask(t, port, at, () => ends))
    const counted = () => router.stats().commands
    const later = async () => {
      for (const before = counted(); counted() < before + 500; ) await sleep(5)
    }
    await later()
    while (router.stats().connections < CLIENTS) await sleep(5)
    for (let n = 0; n < RELOADS; n++) {
      await router.reload({ ...given, maxClients: 1000 + n, routes: [`*,ttl=${1 + (n % 3)}s`] })
      if (n % 5 === 0) await later()
    }
    // Reloads disconnect nobody.
    const connections = router.stats().connections
    await later()
    t.is(connections, CLIENTS)
    await router.restart()
    // More of them, while clients come back.
    for (let n = 0; n < RELOADS; n++) await router.reload({ ...given, maxClients: 2000 + n })
    await later()
    ends = true
    const stories = await Promise.all(asking)
    t.deepEqual(
      stories.flatMap(({ wrong }) => wrong),
      [],
    )
    // All were disconnected once by the worker that ended; those that met the other old one, twice.
    for (const { disconnected, unanswered, replies } of stories) {
      t.true(replies > 0)
      t.true(disconnected + unanswered >= 1 && disconnected + unanswered <= 2)
    }
    t.is(router.stats().errors, 0)
    t.is(router.stats().reloads, 2 * RELOADS)
    t.is(router.stats().replaced, 0)
    t.is(router.status().workers.serving, 2)
  })
}
