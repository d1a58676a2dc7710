// CLIENT PAUSE, UNPAUSE and UNBLOCK through a node: its clients are told what those of the store itself are.
import { setTimeout as sleep } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { Raw } from '../support.ts'
import { front, hasRedis, patientFront } from './support.ts'

const fronted = hasRedis ? test : test.skip

/** What is wrong with a command, and what an idle client is told. */
const WORDS = [
  ['CLIENT', 'PAUSE'],
  ['CLIENT', 'PAUSE', 'x'],
  ['CLIENT', 'PAUSE', '-1'],
  ['CLIENT', 'PAUSE', '1', 'READ'],
  ['CLIENT', 'PAUSE', '0', 'WRITE'],
  ['CLIENT', 'PAUSE', '0', 'all'],
  ['CLIENT', 'PAUSE', '0', 'WRITE', 'x'],
  ['CLIENT', 'UNPAUSE'],
  ['CLIENT', 'UNPAUSE', 'x'],
  ['CLIENT', 'UNBLOCK'],
  ['CLIENT', 'UNBLOCK', 'x'],
  ['CLIENT', 'UNBLOCK', '-1'],
  ['CLIENT', 'UNBLOCK', '999999'],
  ['CLIENT', 'UNBLOCK', '999999', 'NEVER'],
  ['CLIENT', 'UNBLOCK', '999999', 'timeout', 'x'],
]

/** Commands that wait. */
const WAITS = [
  ['BLPOP', 'list', '0'],
  ['BRPOPLPUSH', 'list', 'other', '0'],
  ['BLMOVE', 'list', 'other', 'LEFT', 'RIGHT', '0'],
  ['BZPOPMIN', 'set', '0'],
  ['XREAD', 'BLOCK', '0', 'STREAMS', 'stream', '$'],
  ['WAIT', '3', '0'],
]

const number = (reply: string) => /:(\d+)/.exec(reply)![1]!

async function open(t: ExecutionContext, port: number, protocol: string): Promise<Raw> {
  const raw = await Raw.open(t, port)
  if (protocol === '3') await raw.send('HELLO', '3')
  return raw
}

fronted('what is said of pauses and of those who wait is what the store says', async t => {
  t.timeout(240_000)
  const { store, node } = await front(t)
  for (const protocol of ['2', '3']) {
    const [direct, through] = [
      await open(t, store.port, protocol),
      await open(t, node.port, protocol),
    ]
    for (const words of WORDS) {
      t.is(await through.send(...words), await direct.send(...words), words.join(' '))
    }
  }
})

for (const threads of ['1', '3']) {
  fronted(
    `a client that blocks is unblocked, and told so as by the store: threads ${threads}`,
    async t => {
      t.timeout(240_000)
      const { store, node } = await front(t, ['--threads', threads])
      const told = async (port: number, protocol: string, words: string[], reason: string[]) => {
        const [waits, other] = [await open(t, port, protocol), await open(t, port, protocol)]
        const id = number(await waits.send('CLIENT', 'ID'))
        t.is(await other.send('CLIENT', 'UNBLOCK', id, ...reason), ':0\r\n', 'it does not block')
        const reply = waits.send(...words)
        while ((await other.send('CLIENT', 'UNBLOCK', id, ...reason)) === ':0\r\n') await sleep(5)
        const first = await reply
        t.is(await other.send('CLIENT', 'UNBLOCK', id, ...reason), ':0\r\n', 'it blocks no more')
        // It goes on being served, over a connection that is its own or not.
        return [first, await waits.send('ECHO', 'x'), await waits.send('RPUSH', words[1]!, 'v')]
      }
      for (const protocol of ['2', '3']) {
        for (const words of WAITS) {
          for (const reason of [[], ['TIMEOUT'], ['ERROR']]) {
            const direct = await told(store.port, protocol, words, reason)
            await (await Raw.open(t, store.port)).send('FLUSHALL')
            const through = await told(node.port, protocol, words, reason)
            await (await Raw.open(t, store.port)).send('FLUSHALL')
            t.deepEqual(through, direct, `${words.join(' ')} ${reason}, RESP${protocol}`)
          }
        }
      }
    },
  )

  fronted(`writes wait for the end of a pause, and reads do not: threads ${threads}`, async t => {
    t.timeout(240_000)
    const { store, port, wait } = await patientFront(t, { threads: Number(threads) })
    const direct = await Raw.open(t, store.port)
    await direct.send('SET', 'k', 'old')
    const [admin, reads] = [await Raw.open(t, port), await Raw.open(t, port)]
    const writers = await Promise.all(Array.from({ length: 9 }, () => Raw.open(t, port)))
    t.is(await admin.send('CLIENT', 'PAUSE', '3600000', 'WRITE'), '+OK\r\n')
    for (const [at, raw] of writers.entries()) {
      await raw.send('GET', 'k')
      if (at % 3 === 1) await raw.send('WATCH', 'k')
    }
    await wait('500ms')
    let over = false
    const replies = writers.map(async (raw, at) => {
      const reply = await raw.send(
        ...(at % 3 === 2 ? ['EVAL', 'return 1', '0'] : ['SET', 'k', 'new']),
      )
      t.true(over, 'a write was done in a pause')
      return reply
    })
    // As long as a request may wait for the store, and longer.
    for (let round = 0; round < 100; round++) {
      t.is(await reads.send('GET', 'k'), '$3\r\nold\r\n')
      t.is(await direct.send('GET', 'k'), '$3\r\nold\r\n')
      await sleep(10)
    }
    over = true
    // What is written now may take as long as a machine that stalls.
    await wait('10m')
    t.is(await admin.send('CLIENT', 'UNPAUSE'), '+OK\r\n')
    t.deepEqual(new Set(await Promise.all(replies)), new Set(['+OK\r\n', ':1\r\n']))
    t.is(await direct.send('GET', 'k'), '$3\r\nnew\r\n')
  })
}

fronted('a pause of everything ends by itself, and by UNPAUSE', async t => {
  t.timeout(240_000)
  const { node } = await front(t, ['--threads', '2'])
  const [admin, other] = [await Raw.open(t, node.port), await Raw.open(t, node.port)]
  t.is(await admin.send('CLIENT', 'PAUSE', '50'), '+OK\r\n')
  t.is(await other.send('PING'), '+PONG\r\n')
  t.is(await admin.send('CLIENT', 'PAUSE', '3600000'), '+OK\r\n')
  const reply = other.send('PING')
  t.is(await admin.send('CLIENT', 'UNPAUSE'), '+OK\r\n')
  t.is(await reply, '+PONG\r\n')
})
