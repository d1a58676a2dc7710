// A store that is busy with a script, or takes long for one: what its clients read, and how the script
// is ended through the node.
import { setTimeout as sleep } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { createRouter } from 'breakwater/router'
import { Raw, redis } from '../support.ts'
import { type Fronted, front, hasRedis, ring } from './support.ts'

const fronted = hasRedis ? test : test.skip

const FOREVER = 'while true do end'
const LATE = '-ERR the store has not answered in time\r\n'
/** Redis says that it is busy after so many milliseconds. */
const THRESHOLD = ['--busy-reply-threshold', '20']
/** So that what is stuck is given up soon; long enough for what a busy machine answers meanwhile. */
const IMPATIENT = ['--store-timeout', '1s']

/** Sends a request until the reply is one that is waited for. */
async function until(client: Raw, request: string[], fits: (reply: string) => boolean) {
  for (;;) {
    const reply = await client.send(...request)
    if (fits(reply)) return reply
    await sleep(20)
  }
}

const says =
  (start: string) =>
  (reply: string): boolean =>
    reply.startsWith(start)

/** Once the node has found the store to be there. */
const settled = (reply: string): boolean => !reply.startsWith('-ERR ')

async function library(client: Raw): Promise<void> {
  const code = `#!lua name=lib\nredis.register_function('forever', function() ${FOREVER} end)`
  await client.send('FUNCTION', 'LOAD', 'REPLACE', code)
}

/** What runs for ever, and what ends it. */
const PROGRAMS: [title: string, run: string[], end: string[]][] = [
  ['a script', ['EVAL', FOREVER, '0'], ['SCRIPT', 'KILL']],
  ['a function', ['FCALL', 'forever', '0'], ['FUNCTION', 'KILL']],
]

for (const [title, run, end] of PROGRAMS) {
  for (const protocol of ['2', '3']) {
    fronted(`${title} that does not end is ended through the node, RESP${protocol}`, async t => {
      t.timeout(120_000)
      const { node } = await front(t, [...IMPATIENT, '--threads', '2'], THRESHOLD)
      const open = async () => {
        const client = await Raw.open(t, node.port)
        await client.send('HELLO', protocol)
        return client
      }
      const [runner, reader, ender] = [await open(), await open(), await open()]
      await library(runner)
      await ender.send('SELECT', '3')
      // At once, while nothing else of the node is read by the store.
      t.is(await runner.send(...run), LATE)
      t.is(await until(ender, end, says('+')), '+OK\r\n')
      await until(reader, ['SET', 'k', 'v'], says('+OK'))
      // Once the node has met the store anew.
      t.is(await until(runner, run, reply => !reply.startsWith('-BUSY')), LATE)
      const busy = await until(reader, ['GET', 'unread'], settled)
      t.regex(
        busy,
        /^-BUSY Redis is busy running a script\. You can only call \w+ KILL or SHUTDOWN/,
      )
      t.regex(await until(reader, ['SET', 'k', 'w'], settled), /^-BUSY /)
      t.is(await ender.send(...end), '+OK\r\n')
      await until(reader, ['SET', 'k', 'w'], says('+OK'))
      t.is(await reader.send('GET', 'k'), '$1\r\nw\r\n')
      t.regex(await ender.send(...end), /^-NOTBUSY /)
    })
  }
}

fronted('what a busy store runs is told by FUNCTION STATS', async t => {
  t.timeout(60_000)
  const { node } = await front(t, IMPATIENT, THRESHOLD)
  const [runner, asker] = [await Raw.open(t, node.port), await Raw.open(t, node.port)]
  await library(runner)
  t.is(await runner.send('FCALL', 'forever', '0'), LATE)
  const stats = await until(asker, ['FUNCTION', 'STATS'], reply => !reply.startsWith('-'))
  t.regex(stats, /running_script\r\n\*6\r\n\$4\r\nname\r\n\$7\r\nforever/)
  t.is(await asker.send('FUNCTION', 'KILL'), '+OK\r\n')
})

fronted('a script at one of several stores is ended through the node', async t => {
  t.timeout(60_000)
  const { stores, node } = await ring(t, 3, IMPATIENT)
  const [runner, ender] = [await Raw.open(t, node.port), await Raw.open(t, node.port)]
  for (const { port } of stores) {
    const store = await Raw.open(t, port)
    await store.send('CONFIG', 'SET', 'busy-reply-threshold', '20')
  }
  t.is(await runner.send('EVAL', FOREVER, '1', 'somewhere'), LATE)
  t.is(await until(ender, ['SCRIPT', 'KILL'], says('+')), '+OK\r\n')
  await until(runner, ['SET', 'somewhere', 'v'], says('+OK'))
})

/** A script that takes so many milliseconds. */
const slow = (ms: number): string[] => [
  'EVAL',
  `local function now() local t = redis.call('TIME') return t[1] * 1000 + t[2] / 1000 end
   local ends = now() + ${ms} while now() < ends do end return 'done'`,
  '0',
]

async function inFront(t: ExecutionContext, storeTimeout: string) {
  const store = await redis(t)
  const options = {
    threads: 1,
    maxBytes: '16mb',
    store: `redis://127.0.0.1:${store.port}`,
  } as const
  const router = createRouter({ ...options, storeTimeout })
  t.teardown(() => router.close())
  const { port } = await router.listen({ port: 0 })
  const reload = (timeout: string) => router.reload({ ...options, storeTimeout: timeout })
  return { client: await Raw.open(t, port), reload }
}

fronted(
  'storeTimeout says how long a reply may take, and may change while connections are open',
  async t => {
    t.timeout(60_000)
    const { client, reload } = await inFront(t, '60s')
    t.is(await client.send(...slow(2_500)), '$4\r\ndone\r\n', 'longer than by default')
    await reload('100ms')
    t.is(await client.send(...slow(1_000)), LATE)
    await until(client, ['SET', 'k', 'v'], says('+OK'))
    await reload('60s')
    t.is(await client.send(...slow(1_000)), '$4\r\ndone\r\n')
  },
)

fronted('a store that loads its data says so itself, and is met as soon as it has', async t => {
  t.timeout(60_000)
  const { store, node }: Fronted = await front(
    t,
    ['--threads', '1'],
    ['--enable-debug-command', 'yes'],
  )
  const [client, direct] = [await Raw.open(t, node.port), await Raw.open(t, store.port)]
  // The node has met it before: it waits for one that it has not.
  t.is(await client.send('SET', 'before', 'v'), '+OK\r\n')
  t.is(await direct.send('DEBUG', 'POPULATE', '20000', 'key', '16'), '+OK\r\n')
  // Each key takes longer than all of them should.
  await direct.send('CONFIG', 'SET', 'key-load-delay', '100')
  await direct.send('CONFIG', 'SET', 'loading-process-events-interval-bytes', '1024')
  const reload = direct.send('DEBUG', 'RELOAD')
  t.is(
    await until(client, ['GET', 'unread'], says('-')),
    '-LOADING Redis is loading the dataset in memory\r\n',
  )
  await reload
  await until(client, ['SET', 'k', 'v'], says('+OK'))
})
