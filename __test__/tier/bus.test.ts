// What other processes change is heard of by the bus, and a message that is missing is noticed.
import { setImmediate } from 'node:timers/promises'
import test from 'ava'
import type { CacheKey } from '../../src/base/types.ts'
import {
  type Change,
  type Message,
  merge,
  nothing,
  pieces,
  readMessage,
  Sequences,
  writeMessage,
} from '../../src/tier/redis/channel/messages.ts'
import { random } from '../helpers/random.ts'
import { installed, Raw, redis } from '../router/support.ts'
import {
  type Connected,
  cluster,
  connect,
  connectCluster,
  connections,
  libraries,
  Side,
} from './invalidation.ts'
import { servers } from './servers.ts'

const server = installed('redis-server') ? test : test.skip
// One after the other: each is three servers.
const fleet = installed('redis-server') && installed('redis-cli') ? test.serial : test.skip
const bus = { mode: 'bus', heartbeat: 1000, bound: 2000 } as const

function anyKey(draw: () => number): CacheKey {
  const which = draw()
  const length = Math.floor(draw() * 20)
  if (which < 0.2) return [Number.NaN, -0, Number.NEGATIVE_INFINITY, 1e300, 7][length % 5]!
  if (which < 0.5) return Uint8Array.from({ length }, () => draw() * 256)
  // Halves of surrogate pairs too.
  return String.fromCharCode(...Array.from({ length }, () => draw() * 65_536))
}

function anyChange(draw: () => number, most: number): Change {
  const list = <T>(item: () => T) => Array.from({ length: Math.floor(draw() * most) }, item)
  return { keys: list(() => anyKey(draw)), tags: list(() => String(draw())), clear: draw() < 0.2 }
}

test('a message comes back from its text as it was, whatever its keys', t => {
  const draw = random(1)
  for (let round = 0; round < 2000; round++) {
    const sequence = Math.floor(draw() * 2 ** 40)
    const change = anyChange(draw, 5)
    const head = { kind: 'change', origin: `o${draw()}`, sequence, change } as const
    const message: Message = draw() < 0.5 ? head : { ...head, at: Math.floor(draw() * 2 ** 50) }
    t.deepEqual(readMessage(writeMessage(message)), message)
  }
  for (const kind of ['alive', 'bye'] as const) {
    const message: Message = { kind, origin: 'o', sequence: 0 }
    t.deepEqual(readMessage(writeMessage(message)), message)
  }
})

test('a damaged message is read as a message or refused as one', t => {
  const draw = random(2)
  let refused = 0
  for (let round = 0; round < 5000; round++) {
    const change = anyChange(draw, 3)
    const text = writeMessage({ kind: 'change', origin: 'o', sequence: round, change })
    const at = Math.floor(draw() * text.length)
    const middle = draw() < 0.5 ? '' : String.fromCharCode(draw() * 128)
    const damaged = text.slice(0, at) + middle + text.slice(at + 1 + Math.floor(draw() * 3))
    try {
      const read = readMessage(damaged)
      t.deepEqual(readMessage(writeMessage(read)), read)
    } catch (error) {
      refused++
      if (!(error instanceof SyntaxError)) throw error
    }
  }
  t.true(refused > 1000)
  for (const text of ['', '1', 'null', '{}', '[]', '[2,0,"o",0]', '[1,0,"",0]', '[1,9,"o",0]']) {
    t.throws(() => readMessage(text), { instanceOf: SyntaxError })
  }
  for (const text of ['[1,0,"o",-1]', '[1,0,"o",1.5]', '[1,2,"o",1,["x"],[],0]', '[1,2,"o",1]']) {
    t.throws(() => readMessage(text), { instanceOf: SyntaxError })
  }
})

test('a missing message is noticed with the next one of its origin, and nothing else is', t => {
  const draw = random(3)
  for (let round = 0; round < 500; round++) {
    const ledger = new Sequences(1e9)
    const sent = new Map<string, number>()
    // Whether an origin's change was lost that its next message must show.
    const missing = new Map<string, boolean>()
    for (let step = 0; step < 100; step++) {
      const origin = `o${Math.floor(draw() * 4)}`
      const kind = draw() < 0.3 ? 'alive' : 'change'
      const sequence = (sent.get(origin) ?? 0) + (kind === 'change' ? 1 : 0)
      sent.set(origin, sequence)
      if (draw() < 0.1) {
        if (kind === 'change') missing.set(origin, true)
        continue
      }
      const message: Message = { kind, origin, sequence }
      t.is(ledger.follows(message, 0, false), missing.get(origin) !== true)
      missing.delete(origin)
    }
  }
})

test('a process is taken as it is when it is heard first in time, and forgotten when it is silent', t => {
  const ledger = new Sequences(100)
  t.true(ledger.follows({ kind: 'change', origin: 'a', sequence: 57 }, 0, true))
  t.true(ledger.follows({ kind: 'change', origin: 'a', sequence: 58 }, 10, false))
  t.false(ledger.follows({ kind: 'alive', origin: 'b', sequence: 3 }, 10, false))
  t.true(ledger.follows({ kind: 'bye', origin: 'b', sequence: 3 }, 20, false))
  t.is(ledger.size, 1)
  ledger.sweep(109)
  t.is(ledger.size, 1)
  ledger.sweep(110)
  t.is(ledger.size, 0)
  t.false(ledger.follows({ kind: 'change', origin: 'a', sequence: 59 }, 120, false))
})

test('a large change goes in pieces that are all of it, and too large a one is a change of all', t => {
  const draw = random(4)
  for (let round = 0; round < 50; round++) {
    const change = { ...anyChange(draw, 2000), clear: false }
    const whole = nothing()
    for (const piece of pieces(change)) {
      t.true(piece.keys.length + piece.tags.length <= 500)
      merge(whole, piece)
    }
    t.deepEqual(whole, change)
  }
  const long = { keys: ['a'.repeat(60_000), 'b'.repeat(60_000), 'c'], tags: [], clear: false }
  t.deepEqual(
    [...pieces(long)].map(({ keys }) => keys.length),
    [2, 1],
  )
  const many = nothing()
  for (let part = 0; part < 30; part++) {
    merge(many, { keys: Array.from({ length: 1000 }, (_, at) => at), tags: [], clear: false })
  }
  t.deepEqual(many, { keys: [], tags: [], clear: true })
})

/** Publishes as another process would, true or not. */
function forge({ send }: Connected, text: string): Promise<unknown> {
  return send('PUBLISH', 't:c:bus', text)
}

for (const library of libraries) {
  server(`bus, ${library}: a change is heard of by others and not by who told it`, async t => {
    const { port } = await redis(t)
    const user = await connect(t, library, port)
    const [a, b] = [await Side.open(t, user, bus), await Side.open(t, user, bus)]
    await Promise.all([a.hears('regained'), b.hears('regained')])
    t.is(a.channel.writer(), undefined)
    a.channel.publish({ keys: ['a'], tags: ['x'] })
    t.deepEqual(await b.hears('tag x'), ['key a', 'tag x'])
    b.channel.publish({ keys: ['b'] })
    t.deepEqual(await a.hears('key b'), ['key b'])
    a.channel.publish({ clear: true })
    t.deepEqual(await b.hears('cleared'), ['cleared'])
    for (let key = 0; key < 3000; key++) a.channel.publish({ keys: [`k${key}`] })
    t.is((await b.hears('key k2999')).length, 3000)
    t.regex(String(await user.send('INFO', 'commandstats')), /cmdstat_publish:calls=(?:1\d|9),/)
  })

  for (const { title, start } of servers) {
    server(`bus, ${library}: whatever does not follow clears: ${title}`, async t => {
      const { port } = await start(t)
      const user = await connect(t, library, port)
      const a = await Side.open(t, user, bus)
      await a.hears('regained')
      await forge(user, '[1,2,"x",41,["sa"],[],0]')
      t.deepEqual(await a.hears('key a'), ['key a'], 'right after the start anybody is new')
      await forge(user, '[1,2,"x",43,["sb"],[],0]')
      t.deepEqual(await a.hears('cleared'), ['cleared'])
      await forge(user, '[1,2,"x",44,["sc"],[],0]')
      t.deepEqual(await a.hears('key c'), ['key c'])
      await forge(user, '[1,0,"x",45]')
      t.deepEqual(await a.hears('cleared'), ['cleared'], 'the last message was lost')
      for (const damaged of ['', '{', '[1,2,"x",46,[1],[],0]']) {
        await forge(user, damaged)
        t.deepEqual(await a.hears('cleared'), ['failed', 'cleared'])
        t.like(a.errors.pop(), { code: 'ERR_TIER' })
      }
      const ear = await Raw.open(t, port)
      await ear.send('SUBSCRIBE', 't:c:bus')
      for (let round = 0; round < 3; round++) {
        await beat(a, ear)
        await forge(user, `[1,2,"x",${46 + round},["sd"],[],0]`)
        t.deepEqual(await a.hears('key d'), ['key d'])
        await setImmediate()
      }
      await forge(user, '[1,0,"y",0]')
      await forge(user, '[1,2,"z",1,["se"],[],0]')
      t.deepEqual(await a.hears('key e'), ['key e'], 'who is new has told nothing before')
      await forge(user, '[1,2,"w",2,["sf"],[],0]')
      t.deepEqual(await a.hears('cleared'), ['cleared'], 'who has told something is not new')
    })
  }

  for (const { title, start } of servers) {
    server(`bus, ${library}: a change that was told to nobody is noticed: ${title}`, async t => {
      const { port } = await start(t)
      const user = await connect(t, library, port)
      const [a, b] = [await Side.open(t, user, bus), await Side.open(t, user, bus)]
      await Promise.all([a.hears('regained'), b.hears('regained')])
      b.channel.publish({ keys: ['first'] })
      await a.hears('key first')
      const [, id] = (await connections(user.send)).hearing
      await user.send('CLIENT', 'KILL', 'ID', id!)
      await b.hears('lost')
      b.channel.publish({ keys: ['nobody'] })
      await setImmediate()
      await b.recovers()
      t.deepEqual(await a.hears('cleared'), ['cleared'])
    })
  }

  server(`bus, ${library}: the loss of either connection is noticed at once`, async t => {
    const { port } = await redis(t)
    const user = await connect(t, library, port)
    const a = await Side.open(t, user, bus)
    await a.hears('regained')
    for (const which of ['hearing', 'publishing'] as const) {
      const [id] = (await connections(user.send))[which]
      await user.send('CLIENT', 'KILL', 'ID', id!)
      t.deepEqual(await a.hears('lost'), ['lost'])
      await a.recovers()
    }
    await forge(user, '[1,2,"x",1,["sa"],[],0]')
    await a.hears('key a')
    const { hearing, publishing } = await connections(user.send)
    t.deepEqual([hearing.length, publishing.length], [1, 1], 'nothing is left of the first ones')
  })

  for (const { title, start } of servers) {
    server(
      `bus, ${library}: a server that was killed and started again is heard again: ${title}`,
      async t => {
        const first = await start(t)
        const user = await connect(t, library, first.port)
        const a = await Side.open(t, user, bus)
        await a.hears('regained')
        await first.stop('SIGKILL')
        t.deepEqual(await a.hears('failed'), ['lost', 'failed'])
        await start(t, '--port', `${first.port}`)
        const b = await Side.open(t, user, bus)
        await a.recovers()
        b.channel.publish({ keys: ['k'] })
        await a.hears('key k')
      },
    )
  }

  for (const { title, start } of servers) {
    server(
      `bus, ${library}: a server that no longer answers is lost within the bound: ${title}`,
      async t => {
        const { port, process } = await start(t)
        const user = await connect(t, library, port)
        const a = await Side.open(t, user, bus)
        await a.hears('regained')
        process.kill('SIGSTOP')
        a.clock.advance(1000)
        a.clock.advance(1000)
        t.deepEqual(await a.hears('lost'), ['lost'])
        process.kill('SIGCONT')
        await a.recovers()
      },
    )
  }

  for (const { title, start } of servers) {
    server(
      `bus, ${library}: who leaves says what it has to say, and leaves nothing: ${title}`,
      async t => {
        const { port } = await start(t)
        const user = await connect(t, library, port)
        const { all } = await connections(user.send)
        const [a, b] = [await Side.open(t, user, bus), await Side.open(t, user, bus)]
        await b.hears('regained')
        a.channel.publish({ keys: ['last'] })
        await a.channel.close()
        t.deepEqual(await b.hears('key last'), ['key last'])
        await b.channel.close()
        while ((await connections(user.send)).all > all) await setImmediate()
        for (const { timers } of [a, b]) t.is(timers.waiting, 0)
      },
    )
  }

  server(
    `bus, ${library}: a client that is closed, or leads nowhere, is a loss and no more`,
    async t => {
      const { port, stop } = await redis(t)
      const user = await connect(t, library, port)
      await stop('SIGKILL')
      const a = await Side.open(t, user, bus)
      t.deepEqual(await a.hears('failed'), ['lost', 'failed'])
      a.channel.publish({ clear: true })
      await a.channel.close()
      t.is(a.timers.waiting, 0)
    },
  )

  fleet(`bus, ${library}: all nodes of a cluster are one bus`, async t => {
    const nodes = await cluster(t)
    const [one, two] = [
      await connectCluster(t, library, nodes),
      await connectCluster(t, library, nodes.slice(1)),
    ]
    const [a, b] = [await Side.open(t, one, bus), await Side.open(t, two, bus)]
    await Promise.all([a.hears('regained'), b.hears('regained')])
    a.channel.publish({ keys: ['a'] })
    t.deepEqual(await b.hears('key a'), ['key a'])
    b.channel.publish({ keys: ['b'] })
    t.deepEqual(await a.hears('key b'), ['key b'])
  })
}

/** Moves time on to the next sign of life, and resolves when it was published, to an ear of the test's. */
async function beat({ clock }: Side, ear: Raw): Promise<void> {
  clock.advance(1000)
  for (;;) {
    const [message] = await ear.replies(1)
    // Those of the test have shorter names.
    if (/\[1,0,"[0-9a-f]{16}"/.test(String(message))) return
  }
}

test('options of the channel are checked by name', async t => {
  const { checkInvalidation } = await import('../../src/tier/redis/channel/options.ts')
  t.deepEqual(checkInvalidation(undefined), { mode: 'auto', heartbeat: 1000, bound: 2000 })
  t.is(checkInvalidation(false), false)
  const wrong = [
    [{ mode: 'pigeon' }, /invalidation\.mode must be one of auto, tracking, bus/],
    [{ heartbeat: 0 }, /invalidation\.heartbeat must be a number of milliseconds above 0/],
    [{ heartbeat: '2s', bound: '2s' }, /invalidation\.bound must be more than heartbeat, 2000 ms/],
    [{ bound: Number.POSITIVE_INFINITY }, /invalidation\.bound must be a duration that ends/],
    [{ beat: 1 }, /unknown option 'invalidation\.beat'/],
    ['tracking', /invalidation must be an object/],
  ] as const
  for (const [options, message] of wrong) {
    t.throws(() => checkInvalidation(options as never), { code: 'ERR_INVALID_OPTION', message })
  }
})
