// What a client sends, however it is spelled and whatever it asks for, costs no other client the
// connections to the store that they share.
import test, { type ExecutionContext } from 'ava'
import { encode, Raw, type Served } from '../support.ts'
import { front, hasRedis, info } from './support.ts'

const fronted = hasRedis ? test : test.skip

/** Requests as no library spells them. Servers read some of them each in its own way. */
const SPELLINGS: Record<string, string> = {
  'an inline command': 'GET k\r\n',
  'one that ends with a line feed': 'GET k\n',
  'one with a NUL in its name': 'GE\0T k\r\n',
  'one with a NUL behind its name': 'GET\0 k\r\n',
  'one with a NUL in a word': 'GET a\0b\r\n',
  'one with a NUL behind its words': 'SET n 1\0\r\n',
  'one of NULs': '\0\0\0\r\n',
  'one with quotes': `SET "a b" 'c\\'d'\r\n`,
  'one with quotes that do not pair up': 'SET a "b\r\n',
  'one with carriage returns in it': 'SET a\rb c\r\r\n',
  'one with odd white space': 'SET\va\fb\t1\r\n',
  'one of high bytes': '\xff\xfe\xfd \x80\r\n',
  'one with a long name': `${'n'.repeat(3000)} k\r\n`,
  'one with a long name and a NUL': `${'n'.repeat(3000)}\0 k\r\n`,
  'a word whose end is not seen': '*2\r\n$3\r\nGETxx$1\r\nk\0\0',
  'a line that ends oddly': '*2\rx$3\ryGET\r\n$1\r\nk\r\n',
  'an empty name': '*1\r\n$0\r\n\r\n',
  'a name with a line feed': '*2\r\n$5\r\nGET\r\n\r\n$1\r\nk\r\n',
  'no word': '*0\r\n*-1\r\n\r\nGET k\r\n',
  'what a browser posts': 'POST / HTTP/1.1\r\nHost: localhost\r\n\r\nSET a b\r\n',
  'what a browser posts, as an array': String(encode(['post', '/'])),
  "a browser's host": 'Host: localhost\r\n',
  'a reply': '+OK\r\n-ERR no\r\n:1\r\n$1\r\nx\r\n',
  TLS: '\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03\n\0\0\n',
}

/** Bytes of any kind, the same for the same seed. */
function bytesOf(seed: number, length: number): Buffer {
  let state = seed + 1
  return Buffer.from(
    Array.from({ length }, () => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0
      return state >>> 24
    }),
  )
}

/** A client that behaves, beside those of a node of one thread. */
async function bystander(t: ExecutionContext, { node }: { node: Served }) {
  const raw = await Raw.open(t, node.port)
  let count = 0
  return {
    /** Writes and reads, which the store has to answer. */
    async works(beside: string) {
      const key = `bystander:${++count}`
      t.is(await raw.send('SET', key, 'calm'), '+OK\r\n', beside)
      t.is(await raw.send('GET', key), '$4\r\ncalm\r\n', beside)
    },
    /** Nothing was lost: connections are as they were, and the breaker was never open. */
    async lostNothing() {
      const seen = await info(raw, 'upstream', 'upstream0')
      t.regex(seen!, /breaker=closed,.*losses=0,failures=0,.*opened=0$/)
    },
  }
}

fronted('a request of any spelling leaves the connections of the others alone', async t => {
  t.timeout(240_000)
  const both = await front(t, ['--threads', '1'])
  const { works, lostNothing } = await bystander(t, both)
  const say = async (what: string, bytes: Buffer) => {
    const client = await Raw.open(t, both.node.port)
    client.socket.end(bytes)
    await works(what)
    // The node has taken all of it, and has answered or hung up.
    await client.rest()
    await works(what)
  }
  for (const [what, bytes] of Object.entries(SPELLINGS)) {
    await say(what, Buffer.from(bytes, 'latin1'))
    await say(`${what}, in a transaction`, Buffer.from(`MULTI\r\n${bytes}EXEC\r\n`, 'latin1'))
  }
  const seed = Date.now() % 1_000_000
  t.log(`seed ${seed}`)
  for (let round = 0; round < 200; round++) await say('noise', bytesOf(seed + round, 2000))
  await lostNothing()
})

fronted('an inline command does what it says, whatever it is spelled like', async t => {
  t.timeout(240_000)
  const { store, node } = await front(t, ['--threads', '1'])
  const [client, direct] = [await Raw.open(t, node.port), await Raw.open(t, store.port)]
  client.write('SET "a b" "c\\x00\\r\\nd"\r\nSET n 1\0\r\nSET\te  f\r\n')
  t.deepEqual((await client.replies(3)).map(String), Array(3).fill('+OK\r\n'))
  t.is(await direct.send('GET', 'a b'), '$5\r\nc\0\r\nd\r\n')
  t.is(await direct.send('GET', 'n'), '$1\r\n1\r\n')
  t.is(await direct.send('GET', 'e'), '$1\r\nf\r\n')
})

/** What ends the store, holds it up or empties it for all, as it is meant to. */
const MEANT = ['shutdown', 'debug', 'failover', 'replicaof', 'slaveof', 'flushall', 'flushdb']

fronted('a command of any name leaves the connections of the others alone', async t => {
  t.timeout(240_000)
  const both = await front(t, ['--threads', '1'])
  const { works, lostNothing } = await bystander(t, both)
  const direct = await Raw.open(t, both.store.port)
  const names = (await direct.send('COMMAND', 'LIST'))
    .split('\r\n')
    .filter(word => /^[a-z]/.test(word))
  t.true(names.length > 200)
  const arguments_ = [[], ['0'], ['k', '0'], ['k', 'k', '0'], ['k', '0', '-', '+'], ['ack', '0']]
  for (const name of names.filter(name => !MEANT.includes(name))) {
    for (const words of arguments_) {
      const client = await Raw.open(t, both.node.port)
      client.write(encode([...name.split('|'), ...words]))
      await works(`${name} ${words}`)
      client.socket.destroy()
    }
  }
  await lostNothing()
})
