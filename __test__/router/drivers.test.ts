// What every driver of sockets must do, whichever it is: one table of tests for all of them.
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import test from 'ava'
import { createRouter } from 'breakwater/router'
import { Authority } from '../helpers/certificates.ts'
import { encode, PLAIN, Raw, serve, tlsWay } from './support.ts'

const KB = 1024
const MB = 1024 * KB

/** Waits until `isTrue`, looking again and again. */
async function until(isTrue: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isTrue())) await sleep(5)
}

/** A thread that serves, and tells where. */
const SERVER = `
  const { parentPort, workerData } = require('node:worker_threads')
  const { createRouter } = require('breakwater/router')
  createRouter(workerData).listen({ port: 0 }).then(({ port }) => parentPort.postMessage(port))`

type Test = Parameters<typeof serve>[0]

const WAYS = [PLAIN, tlsWay(new Authority())]
const CASES = (['native', 'net'] as const).flatMap(driver => WAYS.map(way => ({ driver, way })))

for (const { driver, way } of CASES) {
  const name = `${driver}, ${way.name}`
  const start = (t: Test, threads = 2, ...more: string[]) => {
    t.timeout(120_000)
    const given = ['--threads', `${threads}`, '--max-bytes', '256mb', ...way.flags, ...more]
    return serve(t, '--driver', driver, ...given)
  }
  const [, cert, , key] = way.flags
  const tls = cert === undefined || key === undefined ? {} : { tls: { cert, key } }
  const connect = (t: Test, port: number) => Raw.open(t, port, way)
  /** A socket, the one underneath, and all that it has received. */
  const open = async (port: number) => {
    const { socket, raw } = await way.connect(port)
    const chunks: Buffer[] = []
    socket.on('data', chunk => chunks.push(chunk))
    return { socket, raw, received: () => Buffer.concat(chunks) }
  }

  for (const threads of [0, 1, 2]) {
    test(`${name}, ${threads} threads: it says what drives the sockets, serves and stops`, async t => {
      const router = createRouter({ driver, threads, maxBytes: '16mb', ...tls })
      t.is(router.driver, undefined)
      const { port } = await router.listen({ port: 0 })
      t.is(router.driver, driver)
      const client = await connect(t, port)
      t.is(await client.send('SET', 'a', '1'), '+OK\r\n')
      t.is(await client.send('GET', 'a'), '$1\r\n1\r\n')
      t.is(router.stats().clients, 1)
      await router.close()
      t.deepEqual(await client.rest(), Buffer.alloc(0))
    })
  }

  test(`${name}: commands may come a byte at a time, and many at once`, async t => {
    const { port } = await start(t, 1)
    const { socket, received } = await open(port)
    socket.setNoDelay(true)
    const commands = Buffer.concat([encode(['SET', 'a', 'x'.repeat(40)]), encode(['GET', 'a'])])
    for (const byte of commands) {
      socket.write(Buffer.of(byte))
      await new Promise(resolve => setImmediate(resolve))
    }
    const once = `+OK\r\n$40\r\n${'x'.repeat(40)}\r\n`
    await until(() => received().length >= once.length)
    socket.write(Buffer.concat(Array.from({ length: 5000 }, () => commands)))
    await until(() => received().length >= once.length * 5001)
    t.is(received().toString(), once.repeat(5001))
    socket.destroy()
  })

  test(`${name}: a client may write a whole pipeline before it reads`, async t => {
    const { port } = await start(t, 1)
    const { socket, received } = await open(port)
    socket.pause()
    const value = 'v'.repeat(10 * KB)
    const pair = Buffer.concat([encode(['SET', 'k', value]), encode(['GET', 'k'])])
    for (let n = 0; n < 3000; n++) {
      // All of it, as a client does that reads only when it has written.
      if (!socket.write(pair)) await once(socket, 'drain')
    }
    socket.resume()
    const reply = `+OK\r\n$${value.length}\r\n${value}\r\n`
    await until(() => received().length >= reply.length * 3000)
    t.is(received().length, reply.length * 3000)
    t.is(received().subarray(-reply.length).toString(), reply)
    socket.destroy()
  })

  test(`${name}: a client that never reads is told and ended when too much waits`, async t => {
    const { port } = await start(t, 1)
    const good = await connect(t, port)
    await good.send('SET', 'large', 'x'.repeat(MB))
    const { socket } = await open(port)
    // Of a hundred megabytes only the end matters.
    let tail = ''
    socket.removeAllListeners('data')
    socket.on('data', chunk => {
      tail = (tail + chunk.subarray(-200).toString('latin1')).slice(-400)
    })
    socket.on('error', () => {})
    socket.pause()
    const gets = Buffer.concat(Array.from({ length: 100 }, () => encode(['GET', 'large'])))
    socket.write(gets)
    const filler = encode(['SET', 'filler', 'y'.repeat(MB)])
    let ended = false
    // It keeps its own side open, so that an orderly end is no close.
    for (const event of ['end', 'close']) socket.once(event, () => (ended = true))
    for (let n = 0; n < 100 && !ended; n++) {
      if (!socket.write(filler))
        await Promise.race([once(socket, 'drain').catch(() => {}), sleep(200)])
    }
    // Reading makes room: not before the node has had all of it, or has cut the client off.
    const isAlone = async () => (await good.send('CLIENT', 'LIST')).split(' addr=').length === 2
    await until(async () => ended || socket.writableLength === 0 || (await isAlone()))
    socket.resume()
    await until(() => ended || tail.includes('wait for replies to be read'))
    t.is(await good.send('PING'), '+PONG\r\n')
    socket.destroy()
  })

  test(`${name}: a client that has sent its last gets all replies, then the end`, async t => {
    const { port } = await start(t, 1)
    const { socket, received } = await open(port)
    const count = 20_000
    socket.end(Buffer.concat(Array.from({ length: count }, () => encode(['PING']))))
    await once(socket, 'end')
    t.is(received().toString(), '+PONG\r\n'.repeat(count))
    socket.destroy()
  })

  test(`${name}: an unfinished command at the end of a client is dropped`, async t => {
    const { port } = await start(t, 1)
    const { socket, received } = await open(port)
    socket.end('PING\r\n*2\r\n$3\r\nGET\r\n$5\r\nab')
    await once(socket, 'end')
    t.is(received().toString(), '+PONG\r\n')
    socket.destroy()
  })

  test(`${name}: connections that are reset trouble nobody else`, async t => {
    const { port } = await start(t)
    const good = await connect(t, port)
    for (let round = 0; round < 20; round++) {
      const opened = await Promise.all(Array.from({ length: 20 }, () => open(port)))
      for (const { socket, raw } of opened) {
        socket.on('error', () => {})
        raw.on('error', () => {})
        socket.write(encode(['SET', 'a', 'b'.repeat(100 * KB)]).subarray(0, 70 * KB))
        raw.resetAndDestroy()
      }
      t.is(await good.send('PING'), '+PONG\r\n')
    }
    await until(async () => {
      const list = await good.send('CLIENT', 'LIST')
      return list.split('\n').filter(line => line.startsWith('id=')).length === 1
    })
    t.pass()
  })

  test(`${name}: QUIT answers what came before it and ends the connection`, async t => {
    const { port } = await start(t, 1)
    const { socket, received } = await open(port)
    socket.write('PING\r\nQUIT\r\nPING\r\n')
    await once(socket, 'end')
    t.is(received().toString(), '+PONG\r\n+OK\r\n')
    socket.destroy()
  })

  test(`${name}: a client is killed from any thread`, async t => {
    const { port } = await start(t, 2)
    const clients = await Promise.all(Array.from({ length: 16 }, () => connect(t, port)))
    const ids = await Promise.all(clients.map(client => client.send('CLIENT', 'ID')))
    const [killer, ...victims] = clients
    for (const id of ids.slice(1)) {
      t.is(await killer!.send('CLIENT', 'KILL', 'ID', id.slice(1, -2)), ':1\r\n')
    }
    for (const victim of victims) t.deepEqual(await victim.rest(), Buffer.alloc(0))
    t.is(await killer!.send('PING'), '+PONG\r\n')
  })

  test(`${name}: clients beyond the bound are told so`, async t => {
    const { port } = await start(t, 1, '--max-clients', '2')
    const first = await connect(t, port)
    const second = await connect(t, port)
    t.is(await first.send('PING'), '+PONG\r\n')
    t.is(await second.send('PING'), '+PONG\r\n')
    const third = await connect(t, port)
    t.is((await third.rest()).toString(), '-ERR max number of clients reached\r\n')
  })

  test(`${name}: a stop answers what was received, then ends all connections`, async t => {
    const { port, stop } = await start(t)
    const clients = await Promise.all(Array.from({ length: 20 }, () => connect(t, port)))
    for (const client of clients) client.write(Buffer.concat(Array(50).fill(encode(['PING']))))
    // Each thread receives them in its own time.
    const late = await connect(t, port)
    const received = async () =>
      (await late.send('CLIENT', 'LIST')).split('\n').filter(line => / cmd=ping /.test(line)).length
    await until(async () => (await received()) === clients.length)
    const stopped = stop()
    for (const client of clients) {
      t.is((await client.rest()).toString(), '+PONG\r\n'.repeat(50))
    }
    t.is(await stopped, 0)
  })

  test(`${name}: a stop does not wait for a client that never reads`, async t => {
    const { port, stop } = await start(t, 1)
    const good = await connect(t, port)
    await good.send('SET', 'large', 'x'.repeat(4 * MB))
    const { socket } = await open(port)
    socket.on('error', () => {})
    socket.pause()
    for (let n = 0; n < 10; n++) socket.write(encode(['GET', 'large']))
    t.is(await good.send('PING'), '+PONG\r\n')
    t.is(await stop(), 0)
    socket.destroy()
  })

  test.serial(`${name}: thousands of connections at once`, async t => {
    t.timeout(120_000)
    const { port } = await start(t, 2, '--max-clients', '20000')
    const all = Number(process.env.BREAKWATER_CONNECTIONS ?? 2000)
    // Agreeing on keys takes a client of Node.js a while.
    const count = way === PLAIN ? all : all / 8
    const sockets: Socket[] = []
    for (let n = 0; n < count; n += 200) {
      const opened = await Promise.all(Array.from({ length: 200 }, () => open(port)))
      sockets.push(...opened.map(({ socket }) => socket))
    }
    const answers = sockets.map(async socket => {
      const [chunk] = await once(socket, 'data')
      return chunk.toString() as string
    })
    for (const socket of sockets) socket.write('PING\r\n')
    t.deepEqual(new Set(await Promise.all(answers)), new Set(['+PONG\r\n']))
    for (const socket of sockets) socket.destroy()
    const good = await connect(t, port)
    await until(async () => {
      const list = await good.send('CLIENT', 'LIST')
      return list.split('\n').filter(line => line.startsWith('id=')).length === 1
    })
  })

  test(`${name}: timers and other work of a thread go on under full load`, async t => {
    const router = createRouter({ driver, threads: 0, maxBytes: '16mb', ...tls })
    t.teardown(() => router.close())
    const { port } = await router.listen({ port: 0 })
    const { socket } = await open(port)
    socket.on('error', () => {})
    const pings = Buffer.concat(Array.from({ length: 2000 }, () => encode(['PING'])))
    let flowing = true
    const flood = () => {
      if (flowing) socket.write(pings, () => setImmediate(flood))
    }
    flood()
    let ticks = 0
    const timer = setInterval(() => ticks++, 1)
    await until(() => ticks >= 100)
    clearInterval(timer)
    flowing = false
    t.true(router.stats().commands > 0)
    socket.destroy()
  })
  test(`${name}: a thread that is terminated under load takes its clients along, and nothing else`, async t => {
    t.timeout(120_000)
    const options = { driver, threads: 0, maxBytes: '16mb', ...tls }
    const other = createRouter(options)
    t.teardown(() => other.close())
    const good = await connect(t, (await other.listen({ port: 0 })).port)
    const pings = Buffer.concat(Array.from({ length: 500 }, () => encode(['PING'])))
    for (let round = 0; round < 6; round++) {
      const worker = new Worker(SERVER, {
        eval: true,
        workerData: { ...options, threads: round % 2 },
      })
      const [port] = (await once(worker, 'message')) as [number]
      const clients = await Promise.all(Array.from({ length: 8 }, () => open(port)))
      const ended = clients.map(({ socket }) => {
        const flood = () => !socket.destroyed && socket.write(pings, () => setImmediate(flood))
        flood()
        socket.on('end', () => socket.destroy())
        return new Promise(resolve => socket.once('close', resolve))
      })
      await until(() => clients.every(({ received }) => received().length > 0))
      await worker.terminate()
      await Promise.all(ended)
      await t.throwsAsync(way.connect(port), { code: 'ECONNREFUSED' })
      t.is(await good.send('PING'), '+PONG\r\n')
    }
  })
}
