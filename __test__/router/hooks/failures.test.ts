// Hooks that fail in whatever way a function can: the client reads a clear error, the event is told, and the
// thread goes on, its hooks among the rest.
import { setTimeout as sleep } from 'node:timers/promises'
import test from 'ava'
import type { LogFields } from 'breakwater/router'
import { encode, Raw } from '../support.ts'
import { hookWarnings, moduleOf, routerOf } from './support.ts'

/** What may go wrong in the body of a hook. */
const WRONG: Record<string, string> = {
  undefined: 'throw undefined',
  null: 'throw null',
  symbol: "throw Symbol('odd')",
  'no prototype': 'throw Object.create(null)',
  'a text of its own that fails': 'throw { toString() { throw new Error("odd") } }',
  'a message that fails':
    'throw Object.defineProperty(new Error(), "message", { get() { throw new Error("odd") } })',
  'a message that is none': 'throw Object.assign(new Error(), { message: Object.create(null) })',
  'a proxy that fails': `throw new Proxy({}, {
    get() { throw new Error("odd") }, getPrototypeOf() { throw new Error("odd") } })`,
  'a property that fails': 'return { get refuse() { throw new Error("odd") } }',
  'a then that fails': 'return { get then() { throw new Error("odd") } }',
  'an object without meaning': 'return { refuses: "NO" }',
  'two meanings': 'return { refuse: "NO", answer: "yes" }',
  'an empty refusal': 'return { refuse: "" }',
  'a rewriting of nothing': 'return { rewrite: [] }',
  'a rewriting by an object': 'return { rewrite: [{}] }',
  'a bigint': 'return { answer: 1n }',
  'no number': 'return { answer: NaN }',
  'a number that is not exact': 'return { answer: 2 ** 60 }',
  'a function': 'return { answer() {} }',
  'an answer within itself': 'const all = []; all.push(all); return { answer: all }',
}
/** What only a hook that answers at once may not do. */
const PROMISES: Record<string, string> = {
  'a promise': 'return Promise.resolve({ answer: "late" })',
  'a promise that is rejected': 'return Promise.reject(new Error("odd"))',
  'a promise that is rejected by nothing one can read':
    'return Promise.reject(Object.create(null))',
}

/** A hook for each, since one that has just failed is not told of again. */
const hooksOf = (wrong: Record<string, string>, later: boolean) => {
  const [declared, begin] = later
    ? ["async: true, deadline: '60s',", 'await new Promise(resolve => setImmediate(resolve))']
    : ['', '']
  const one = ([name, body]: [string, string]) => `{
    commands: ['get'], prefixes: [${JSON.stringify(name)}], ${declared}
    handle: ${later ? 'async' : ''} () => { ${begin}; ${body} },
  }`
  return `{ onCommand: [${Object.entries(wrong).map(one)}] }`
}

const FAILED = '-ERR a hook of the node has failed\r\n'

for (const driver of ['native', 'net'] as const) {
  for (const threads of [0, 1]) {
    for (const later of [false, true]) {
      const way = later ? 'later' : 'at once'
      test(`${driver}, ${threads} threads: whatever a hook does wrong ${way} costs its command alone`, async t => {
        t.timeout(120_000)
        const wrong = later ? WRONG : { ...WRONG, ...PROMISES }
        const told: LogFields[] = []
        const tell = (fields: LogFields) => void told.push(fields)
        const logger = { debug: tell, info: tell, warn: tell, error: tell }
        const given = { driver, threads, hooks: moduleOf(t, hooksOf(wrong, later)), logger }
        const { router, port } = await routerOf(t, given)
        const [client, other] = [await Raw.open(t, port), await Raw.open(t, port)]
        const names = Object.keys(wrong)
        for (const name of names) {
          t.is(await client.send('GET', name), FAILED, name)
          t.is(await client.send('GET', 'right'), '$-1\r\n', `behind ${name}`)
        }
        // All at once, and others meanwhile.
        client.write(Buffer.concat(names.map(name => encode(['GET', name]))))
        t.is(await other.send('SET', 'a', '1'), '+OK\r\n')
        const replies = (await client.replies(names.length)).map(String)
        t.deepEqual([...new Set(replies)], [FAILED])
        t.is(router.stats().hooks.failed, 2 * names.length)
        const failed = () => told.filter(({ event }) => event === 'hook_failed')
        // It is told so often of all together.
        while (failed().length < 10) await sleep(5)
        for (const { err } of failed()) t.regex(err!.message, /^onCommand\[\d+\] failed: /)
        t.deepEqual(
          told.filter(({ event }) => event === 'worker_failed' || event === 'fault'),
          [],
        )
        t.is(router.stats().clients, 2)
      })
    }
  }
}

for (const driver of ['native', 'net'] as const) {
  test(`${driver}: a text of a hook is one line, whatever it holds`, async t => {
    const odd = JSON.stringify('NO\r\n+OK\r\n$2')
    const hooks = `{
      onConnect: ({ id }) => ({ label: ${odd} }),
      onCommand: { handle: ({ command, client }) => ({
        get: { refuse: ${odd} }, ttl: { answer: { error: ${odd} } }, type: { answer: { status: ${odd} } },
        mget: { answer: [{ status: ${odd} }, 'x'] }, strlen: { answer: client.label },
      })[command] },
    }`
    const { port } = await routerOf(t, { driver, threads: 1, hooks: moduleOf(t, hooks) })
    const client = await Raw.open(t, port)
    for (const [command, head] of [
      ['GET', '-NO'],
      ['TTL', '-NO'],
      ['TYPE', '+NO'],
      ['MGET', '*2\r\n+NO'],
    ] as const) {
      const said = await client.send(command, 'key')
      t.true(said.startsWith(head), said)
      t.is(said.split('\r\n').length, command === 'MGET' ? 5 : 2, JSON.stringify(said))
      t.is(await client.send('PING'), '+PONG\r\n', `behind ${command}`)
    }
    t.regex(await client.send('STRLEN', 'key'), /^\$/)
    // A line of a list of clients is one as well.
    t.is((await client.send('CLIENT', 'LIST')).split('\n').length, 4)
  })
}

test('a hook that fails again and again is told of once a second, with how often', async t => {
  const warnings = hookWarnings(t)
  const hooks = `{ onCommand: [
    { commands: ['get'], handle() { throw new Error('first') } },
    { commands: ['set'], handle() { throw new Error('second') } },
  ] }`
  const { router, port } = await routerOf(t, { threads: 0, hooks: moduleOf(t, hooks) })
  const client = await Raw.open(t, port)
  let [asked, told] = [0, 0]
  while (told < 2) {
    for (let n = 0; n < 100; n++, asked++) t.is(await client.send('GET', 'a'), FAILED)
    told = warnings.filter(text => text.includes('onCommand[0]')).length
  }
  const [first, second] = warnings.filter(text => text.includes('onCommand[0]'))
  t.is(first, 'onCommand[0] failed: first')
  const kept = Number(/\(and (\d+) times since the last warning\)$/.exec(second!)?.[1])
  t.true(kept > 0 && kept < asked, second)
  t.true(told < asked / 10, `${told} of ${asked}`)
  // Another hook has warnings of its own.
  t.is(await client.send('SET', 'a', '1'), FAILED)
  while (!warnings.includes('onCommand[1] failed: second')) await sleep(5)
  t.is(router.stats().hooks.failed, asked + 1)
})
