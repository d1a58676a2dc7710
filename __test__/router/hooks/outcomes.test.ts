// What hooks say, and what becomes of it: on every driver, on a thread of the caller and on others.
import { setTimeout as sleep } from 'node:timers/promises'
import test from 'ava'
import { encode, Raw } from '../support.ts'
import { hookWarnings, moduleOf, routerOf } from './support.ts'

/** Hooks that do what a key says, at once or later. */
const hooks = (later: boolean) => `{
  onCommand: [
    { commands: ['flushall'], handle: () => ({ refuse: 'NOPERM nobody flushes' }) },
    {
      prefixes: ['do:'],
      ${later ? "async: true, deadline: '60s'," : ''}
      handle: ${later ? 'async' : ''} request => {
        ${later ? 'await new Promise(resolve => setTimeout(resolve, 2))' : ''}
        const { command, args, keys, user, database, client } = request
        switch (keys[0].slice(3)) {
          case 'rewrite': return { rewrite: ['set', 'was:rewritten', args[1] ?? 'by hook'] }
          case 'bytes': return { rewrite: ['set', 'was:bytes', request.bytes(1)] }
          case 'text': return { answer: 'text' }
          case 'long': return { answer: 'x'.repeat(100000) }
          case 'bulk': return { answer: new Uint8Array([0, 255]) }
          case 'status': return { answer: { status: 'FINE' } }
          case 'error': return { answer: { error: 'ODD error' } }
          case 'number': return { answer: 42 }
          case 'double': return { answer: 1.5 }
          case 'yes': return { answer: true }
          case 'null': return { answer: null }
          case 'list': return { answer: ['a', 1, null, [{ status: 'OK' }]] }
          case 'seen': return { answer: [command, ...args, ...keys, user, database, client.id > 0, client.address.startsWith('127.0.0.1:')] }
          case 'refuse': return { refuse: 'NO not this' }
          case 'throw': throw new Error('secret of the hook')
          case 'nonsense': return 'nonsense'
        }
      },
    },
  ],
}`

/** What a client sends, and reads in RESP2 and RESP3. */
const TABLE: [words: string[], resp2: string, resp3?: string][] = [
  [['SET', 'plain', '1'], '+OK\r\n'],
  [['GET', 'plain'], '$1\r\n1\r\n'],
  [['SET', 'do:nothing', '2'], '+OK\r\n'],
  [['GET', 'do:nothing'], '$1\r\n2\r\n'],
  [['SET', 'do:rewrite', 'x'], '+OK\r\n'],
  [['GET', 'was:rewritten'], '$1\r\nx\r\n'],
  [['GET', 'do:text'], '$4\r\ntext\r\n'],
  [['GET', 'do:long'], `$100000\r\n${'x'.repeat(100_000)}\r\n`],
  [['GET', 'do:status'], '+FINE\r\n'],
  [['GET', 'do:error'], '-ODD error\r\n'],
  [['GET', 'do:number'], ':42\r\n'],
  [['GET', 'do:double'], '$3\r\n1.5\r\n', ',1.5\r\n'],
  [['GET', 'do:yes'], ':1\r\n', '#t\r\n'],
  [['GET', 'do:null'], '$-1\r\n', '_\r\n'],
  [
    ['GET', 'do:list'],
    '*4\r\n$1\r\na\r\n:1\r\n$-1\r\n*1\r\n+OK\r\n',
    '*4\r\n$1\r\na\r\n:1\r\n_\r\n*1\r\n+OK\r\n',
  ],
  [['mget', 'a', 'do:seen'], '*2\r\n$-1\r\n$-1\r\n', '*2\r\n_\r\n_\r\n'],
  [
    ['MGET', 'do:seen', 'b'],
    '*10\r\n$4\r\nmget\r\n$7\r\ndo:seen\r\n$1\r\nb\r\n$7\r\ndo:seen\r\n$1\r\nb\r\n$7\r\ndefault\r\n:0\r\n:1\r\n:1\r\n'.replace(
      '*10',
      '*9',
    ),
    '*9\r\n$4\r\nmget\r\n$7\r\ndo:seen\r\n$1\r\nb\r\n$7\r\ndo:seen\r\n$1\r\nb\r\n$7\r\ndefault\r\n:0\r\n#t\r\n#t\r\n',
  ],
  [['GET', 'do:refuse'], '-NO not this\r\n'],
  [['GET', 'do:throw'], '-ERR a hook of the node has failed\r\n'],
  [['GET', 'do:nonsense'], '-ERR a hook of the node has failed\r\n'],
  [['FLUSHALL'], '-NOPERM nobody flushes\r\n'],
  [['GET'], "-ERR wrong number of arguments for 'get' command\r\n"],
]

for (const driver of ['native', 'net'] as const) {
  for (const threads of [0, 2]) {
    for (const later of [false, true]) {
      const name = `${driver}, ${threads} threads, ${later ? 'later' : 'at once'}`

      test(`${name}: each outcome, one by one and in one pipeline, in both protocols`, async t => {
        const given = moduleOf(t, hooks(later))
        const { router, port } = await routerOf(t, { driver, threads, hooks: given })
        for (const protocol of [2, 3]) {
          const client = await Raw.open(t, port)
          if (protocol === 3) await client.send('HELLO', '3')
          const expected = TABLE.map(([, two, three]) => (protocol === 3 ? (three ?? two) : two))
          for (const [at, [words]] of TABLE.entries()) {
            t.is(await client.send(...words), expected[at]!, words.join(' '))
          }
          client.write(Buffer.concat(TABLE.map(([words]) => encode(words))))
          const replies = await client.replies(TABLE.length)
          t.deepEqual(replies.map(String), expected)
        }
        const { asked, rewritten, answered, refused, failed } = router.stats().hooks
        t.deepEqual({ rewritten, refused, failed }, { rewritten: 4, refused: 8, failed: 8 })
        t.true(asked > answered && answered > 0)
      })
    }
  }

  test(`${driver}: words are given and taken byte by byte`, async t => {
    const { port } = await routerOf(t, { driver, threads: 1, hooks: moduleOf(t, hooks(false)) })
    const client = await Raw.open(t, port)
    const odd = Buffer.from([0, 13, 10, 200, 255])
    t.is(await client.send('SET', 'do:bytes', odd), '+OK\r\n')
    client.write(encode(['GET', 'was:bytes']))
    t.deepEqual(
      (await client.replies(1))[0],
      Buffer.concat([Buffer.from('$5\r\n'), odd, Buffer.from('\r\n')]),
    )
    client.write(encode(['GET', 'do:bulk']))
    t.deepEqual((await client.replies(1))[0], Buffer.from([36, 50, 13, 10, 0, 255, 13, 10]))
    // More than the area of questions holds.
    const large = 'v'.repeat(300_000)
    t.is(await client.send('SET', 'do:rewrite', large), '+OK\r\n')
    t.is(await client.send('GET', 'was:rewritten'), `$300000\r\n${large}\r\n`)
  })

  test(`${driver}: a hook that throws is told of, and the client is not told why`, async t => {
    const warnings = hookWarnings(t)
    // Its own: warnings are the process's, and other tests cause some.
    const secret = `secret of ${driver}`
    const given = hooks(false).replace('secret of the hook', secret)
    const { port } = await routerOf(t, { driver, threads: 1, hooks: moduleOf(t, given) })
    const client = await Raw.open(t, port)
    t.notRegex(await client.send('GET', 'do:throw'), /secret/)
    while (!warnings.includes(`onCommand[1] failed: ${secret}`)) await sleep(5)
  })

  test(`${driver}: while one client waits for a hook, others go on; it reads its replies in order`, async t => {
    const waits = moduleOf(
      t,
      `{ onCommand: { commands: ['get'], async: true, deadline: '60s', handle: ({ keys: [key] }) =>
        new Promise(resolve => { const { go } = globalThis; globalThis.go = () => { go?.(); resolve() }; if (key === 'go') globalThis.go() }) } }`,
    )
    const { port } = await routerOf(t, { driver, threads: 1, hooks: waits })
    const [one, other] = [await Raw.open(t, port), await Raw.open(t, port)]
    one.write(
      Buffer.concat(['SET a 1', 'GET a', 'SET a 2', 'PING'].map(line => encode(line.split(' ')))),
    )
    t.is(String((await one.replies(1))[0]), '+OK\r\n')
    t.is(await other.send('SET', 'b', '1'), '+OK\r\n')
    t.is(await other.send('GET', 'go'), '$-1\r\n')
    t.deepEqual((await one.replies(3)).map(String), ['$1\r\n1\r\n', '+OK\r\n', '+PONG\r\n'])
  })

  test(`${driver}: a hook that takes too long has failed, and answers nobody later`, async t => {
    // It answers when it is told to: once its time is over.
    const slow = moduleOf(
      t,
      `(() => {
        let answer
        return { onCommand: [
          { commands: ['get'], async: true, deadline: 20, handle: () => new Promise(resolve => { answer = resolve }) },
          { commands: ['echo'], handle: () => { answer({ answer: 'late' }); return { answer: 'told' } } },
        ] }
      })()`,
    )
    const { router, port } = await routerOf(t, { driver, threads: 1, hooks: slow })
    const client = await Raw.open(t, port)
    t.is(await client.send('GET', 'a'), '-ERR a hook of the node has not answered in time\r\n')
    t.is(await client.send('PING'), '+PONG\r\n')
    t.is(await client.send('ECHO', 'x'), '$4\r\ntold\r\n')
    t.is(await client.send('PING'), '+PONG\r\n')
    t.is(router.stats().hooks.failed, 1)
  })

  for (const later of [false, true]) {
    const way = later ? 'async' : ''
    test(`${driver}: clients are let in, called something, or refused: ${later ? 'later' : 'at once'}`, async t => {
      const given = moduleOf(
        t,
        `(() => {
          let count = 0
          return {
            onConnect: { ${later ? "async: true, deadline: '60s'," : ''} handle: ${way} client => {
              if (!client.address.startsWith('127.0.0.1:')) throw new Error(client.address)
              if (++count === 2) return { refuse: 'NO more clients' }
              if (count === 4) throw new Error('odd')
              return { label: 'client ' + count }
            } },
            onCommand: { commands: ['echo'], handle: ({ client }) => ({ answer: client.label }) },
          }
        })()`,
      )
      const { router, port } = await routerOf(t, { driver, threads: 1, hooks: given })
      const first = await Raw.open(t, port)
      t.is(await first.send('ECHO', 'x'), '$8\r\nclient 1\r\n')
      const second = await Raw.open(t, port)
      second.write(encode(['PING']))
      t.is(String(await second.rest()), '-NO more clients\r\n')
      const third = await Raw.open(t, port)
      t.is(await third.send('ECHO', 'x'), '$8\r\nclient 3\r\n')
      const fourth = await Raw.open(t, port)
      t.is(String(await fourth.rest()), '-ERR a hook of the node has failed\r\n')
      while (router.stats().clients !== 2) await sleep(5)
      t.like(router.stats().hooks, { refused: 1, failed: 1 })
    })
  }
}
