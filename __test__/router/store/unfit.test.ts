// A replica that says that it cannot answer, as while it loads or has lost its primary: its reads are
// asked elsewhere. A proxy in front of a real replica says so, which does it too seldom by itself.
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { Raw, redis, serve } from '../support.ts'
import { hasRedis, replicaOf } from './support.ts'

const replicated = hasRedis ? test : test.skip

/** How many there are to be read once. */
const KEYS = 20_000

const WHY = [
  'LOADING Redis is loading the dataset in memory',
  "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
]

/** Where the request ends that bytes begin with; -1 if it is not all there. */
function requestEnd(bytes: Buffer): number {
  const text = bytes.toString('latin1')
  let at = text.indexOf('\r\n') + 2
  for (let word = Number(text.slice(1, at - 2)); word > 0 && at > 1; word--) {
    const line = text.indexOf('\r\n', at)
    if (line < 0) return -1
    at = line + 2 + Number(text.slice(at + 1, line)) + 2
  }
  return at > 1 && at <= bytes.length ? at : -1
}

/** A proxy of a replica that refuses every `GET` for this reason, if there is one. */
async function proxy(t: ExecutionContext, replica: number) {
  const state = { why: '', refused: 0, answered: 0, port: 0 }
  const server = createServer(async socket => {
    socket.on('error', () => {})
    const real = await Raw.open(t, replica)
    let [bytes, last] = [Buffer.alloc(0), Promise.resolve()]
    const answer = async (request: Buffer) => {
      const reads = /^\*\d+\r\n\$\d+\r\nget\r\n/i.test(String(request))
      if (reads && state.why !== '') {
        state.refused++
        return void socket.write(`-${state.why}\r\n`)
      }
      if (reads) state.answered++
      real.write(request)
      for (;;) {
        const [reply] = await real.replies(1)
        if (reply === undefined) return void socket.destroy()
        socket.write(reply)
        // News between replies are no reply.
        if (reply[0] !== 0x3e) return
      }
    }
    socket.on('data', chunk => {
      bytes = Buffer.concat([bytes, chunk as Buffer])
      for (let end = requestEnd(bytes); end > 0; end = requestEnd(bytes)) {
        const request = bytes.subarray(0, end)
        bytes = bytes.subarray(end)
        last = last.then(() => answer(request))
      }
    })
    socket.on('close', () => real.socket.destroy())
  })
  t.teardown(() => server.close())
  await once(server.listen(0, '127.0.0.1'), 'listening')
  state.port = (server.address() as AddressInfo).port
  return state
}

for (const why of WHY) {
  for (const mode of ['on', 'off']) {
    const code = why.split(' ', 1)[0]!
    const name = `a replica that answers ${code} costs no client an error, memory ${mode}`
    replicated(name, async t => {
      t.timeout(240_000)
      const store = await redis(t, '--repl-diskless-sync-delay', '0')
      const replica = await proxy(t, (await replicaOf(t, store)).port)
      const url = (port: number) => `redis://127.0.0.1:${port}`
      const flags = ['--store', url(store.port), '--store-replica', url(replica.port)]
      const prefer = ['--route', `*,mode=${mode}`, '--route', 'only:*,readFrom=replica,mode=off']
      const node = await serve(t, ...flags, '--read-from', 'preferReplica', ...prefer)
      const client = await Raw.open(t, node.port)
      const pairs = Array.from({ length: KEYS }, (_, n) => [`k${n}`, `v${n}`])
      await client.send('MSET', ...pairs.flat())
      let number = 0
      /** Reads a key for the first time, so that memory has no answer. */
      const read = async () => {
        const [key, value] = pairs[number++ % KEYS]!
        return (await client.send('GET', key!)) === `$${value!.length}\r\n${value}\r\n`
      }
      const until = async (isTrue: () => boolean) => {
        while (!isTrue()) {
          t.true(await read())
          await sleep(1)
        }
      }
      await until(() => replica.answered > 0)
      replica.why = why
      await until(() => replica.refused > 3)
      // Who wants no other server is told why, in one line.
      const told = new RegExp(
        `^-ERR (the replica answers ${code} [^\r\n]*|no replica is in service: [^\r\n]*)\r\n$`,
      )
      const refused = replica.refused
      while (replica.refused === refused) {
        const reply = await client.send('GET', 'only:one')
        t.regex(reply, /^(\$-1|-ERR [^\r\n]*)\r\n$/)
        if (reply.startsWith('-')) t.regex(reply, told)
        t.is(await client.send('PING'), '+PONG\r\n', 'replies are still told apart')
      }
      replica.why = ''
      const answered = replica.answered
      await until(() => replica.answered > answered)
    })
  }
}
