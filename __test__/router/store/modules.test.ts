// Replies of modules (JSON, vector sets) through a node: a server that speaks RESP as those modules do,
// since no Redis of the tests has them. Their forms in RESP2 and RESP3 differ in ways that only the
// server knows: clients of RESP3 are answered from memory, those of RESP2 always by the server.
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { encode, Raw, replyEnd, serve } from '../support.ts'

/** What the server answers to a command, in RESP2 and in RESP3. */
const ANSWERS: Record<string, [resp2: string, resp3: string]> = {
  'JSON.GET doc $': ['$9\r\n[{"a":1}]\r\n', '$9\r\n[{"a":1}]\r\n'],
  'JSON.TYPE doc $': ['*1\r\n$6\r\nobject\r\n', '*1\r\n*1\r\n$6\r\nobject\r\n'],
  'JSON.OBJLEN doc $': ['*1\r\n:1\r\n', '*1\r\n:1\r\n'],
  'JSON.ARRLEN doc .none': ['$-1\r\n', '_\r\n'],
  'JSON.MGET doc other $': ['*2\r\n$3\r\n[1]\r\n$-1\r\n', '*2\r\n$3\r\n[1]\r\n_\r\n'],
  'VEMB v e': ['*2\r\n$3\r\n0.5\r\n$1\r\n1\r\n', '*2\r\n,0.5\r\n,1\r\n'],
  'VISMEMBER v e': [':1\r\n', '#t\r\n'],
  'VLINKS v e WITHSCORES': [
    '*1\r\n*2\r\n$1\r\nf\r\n$3\r\n0.9\r\n',
    '*1\r\n%1\r\n$1\r\nf\r\n,0.9\r\n',
  ],
  'VCARD v': [':1\r\n', ':1\r\n'],
}

/** The words of the requests in `bytes` that are whole, and how many bytes they have. */
function requests(bytes: Buffer): { all: string[][]; used: number } {
  const all: string[][] = []
  let used = 0
  for (
    let end = replyEnd(bytes, 0);
    end > 0;
    end = used < bytes.length ? replyEnd(bytes, used) : -1
  ) {
    const text = bytes.toString('latin1', used, end)
    all.push([...text.matchAll(/\$\d+\r\n(.*?)\r\n/gs)].map(([, word]) => word!))
    used = end
  }
  return { all, used }
}

/** A server with the modules, and what it was asked. */
async function modules(t: ExecutionContext) {
  const asked = new Map<string, number>()
  const trackers = new Set<Socket>()
  const server = createServer(socket => {
    let [bytes, resp3] = [Buffer.alloc(0), false]
    socket.on('error', () => {})
    socket.on('close', () => trackers.delete(socket))
    socket.on('data', chunk => {
      bytes = Buffer.concat([bytes, chunk as Buffer])
      const { all, used } = requests(bytes)
      bytes = bytes.subarray(used)
      for (const words of all) {
        const line = words.join(' ')
        asked.set(line, (asked.get(line) ?? 0) + 1)
        const [name = ''] = words
        if (name === 'HELLO') resp3 = true
        if (line.startsWith('CLIENT TRACKING')) trackers.add(socket)
        const known = ANSWERS[line]?.[resp3 ? 1 : 0]
        const usual = { HELLO: '%0\r\n', PTTL: ':-1\r\n', PING: '+PONG\r\n' }[name] ?? '+OK\r\n'
        socket.write(known ?? usual)
      }
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  return {
    port: (server.address() as AddressInfo).port,
    asked: (line: string) => asked.get(line) ?? 0,
    /** Tells all who track that a key has changed. */
    change(key: string) {
      const push = `>2\r\n$10\r\ninvalidate\r\n*1\r\n$${key.length}\r\n${key}\r\n`
      for (const socket of trackers) socket.write(push)
    },
  }
}

for (const [line, answers] of Object.entries(ANSWERS)) {
  test(`${line}: RESP3 from memory until it changes, RESP2 as the server has it`, async t => {
    t.timeout(120_000)
    const store = await modules(t)
    const node = await serve(t, '--threads', '1', '--store', `redis://127.0.0.1:${store.port}`)
    const words = line.split(' ')
    for (const [at, version] of (['2', '3'] as const).entries()) {
      const client = await Raw.open(t, node.port)
      await client.send('HELLO', version)
      const before = store.asked(line)
      for (let n = 0; n < 5; n++) t.is(await client.send(...words), answers[at]!)
      t.is(store.asked(line) - before, version === '2' ? 5 : 1)
      // In a pipeline, too.
      client.write(Buffer.concat([words, ['PING'], words].map(encode)))
      t.deepEqual((await client.replies(3)).map(String), [answers[at]!, '+PONG\r\n', answers[at]!])
    }
    const client = await Raw.open(t, node.port)
    await client.send('HELLO', '3')
    const remembered = store.asked(line)
    await client.send(...words)
    t.is(store.asked(line), remembered)
    store.change(words[1]!)
    while (store.asked(line) === remembered) {
      t.is(await client.send(...words), answers[1])
      await sleep(1)
    }
    // A write by a client of the node ends it as well.
    const [write, key] = line.startsWith('JSON') ? ['JSON.SET', words[1]!] : ['VADD', words[1]!]
    const again = store.asked(line)
    const rest = write === 'JSON.SET' ? ['$', '1'] : ['VALUES', '1', '0.5', 'e']
    await client.send(write, key, ...rest)
    t.is(await client.send(...words), answers[1])
    t.true(store.asked(line) > again)
  })
}
