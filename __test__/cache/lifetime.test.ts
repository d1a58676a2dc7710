import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test from 'ava'
import { folderOf } from '../helpers/folders.ts'

const run = promisify(execFile)
const root = fileURLToPath(new URL('../..', import.meta.url))

/** Runs a script in a process of its own and gives what it printed. */
async function script(body: string): Promise<string> {
  const source = `import { Cache, bytes, heap } from './src/index.ts'\n${body}`
  const flags = ['--expose-gc', '--import=tsx', '--input-type=module', '--eval', source]
  const { stdout } = await run(process.execPath, flags, { cwd: root, timeout: 240_000 })
  return stdout.trim()
}

test('neither caches, nor listeners, nor maintenance keep the process alive', async t => {
  const out = await script(`
    const cache = new Cache({ name: 'alive', max: 1000, ttl: '1h' })
    cache.onRemoval(() => {})
    const objects = new Cache({ max: 10, codec: heap() })
    cache.set('a', '1')
    objects.set('a', {})
    console.log('done')
  `)
  t.is(out, 'done')
})

test('the memory of a cache that is forgotten comes back', async t => {
  const out = await script(`
    let before = 0
    for (let i = 0; i < 40; i++) {
      const cache = new Cache({ maxBytes: '64mb', codec: bytes() })
      cache.onRemoval(() => {})
      const value = Buffer.alloc(1024 * 1024, 1)
      for (let j = 0; j < 30; j++) cache.set(String(j), value)
      if (i % 5 === 4) {
        gc()
        await new Promise(resolve => setTimeout(resolve, 20))
      }
    }
    for (let i = 0; i < 10; i++) {
      gc()
      await new Promise(resolve => setTimeout(resolve, 20))
    }
    // 1,200 MB went through; had it not come back, it would be resident.
    console.log(process.memoryUsage().rss < 600 * 1024 * 1024)
  `)
  t.is(out, 'true')
})

/** Lets go of instances until none of the first ones can be left. */
const collect = `
  const collect = async () => {
    for (let i = 0; i < 20; i++) {
      gc()
      await new Promise(resolve => setTimeout(resolve, 5))
    }
  }
`

test('a collection never empties a named cache, whoever let it go', async t => {
  const out = await script(`${collect}
    ;(() => {
      for (let i = 0; i < 3; i++) new Cache({ name: 'kept', max: 10 }).set('a', '1')
    })()
    await collect()
    console.log(Cache.open('kept').get('a'), Cache.open('kept').size)
  `)
  t.is(out, '1 1')
})

test('a thread that let a named cache go without closing it keeps it until it ends', async t => {
  const out = await script(`${collect}
    const { Worker } = await import('node:worker_threads')
    const { once } = await import('node:events')
    const worker = new Worker(\`
      import { parentPort } from 'node:worker_threads'
      const { Cache } = await import(process.cwd() + '/dist/index.js')
      ;(() => void new Cache({ name: 'theirs', max: 10 }).set('a', '1'))()
      for (let i = 0; i < 20; i++) {
        gc()
        await new Promise(resolve => setTimeout(resolve, 5))
      }
      parentPort.once('message', () => process.exit())
      parentPort.postMessage('let go')
    \`, { eval: true })
    await once(worker, 'message')
    const here = Cache.open('theirs')
    console.log(here.get('a'))
    here.close()
    await collect()
    // Closed here, it is still the other thread's.
    console.log(Cache.open('theirs').close() instanceof Promise)
    worker.postMessage('end')
    await once(worker, 'exit')
    try {
      Cache.open('theirs')
    } catch (error) {
      console.log(error.code)
    }
  `)
  t.is(out, '1\ntrue\nERR_NO_SUCH_CACHE')
})

test('a named cache ends when each that opened it has closed it, collected or not', async t => {
  const out = await script(`${collect}
    const first = new Cache({ name: 'counted', max: 10 })
    const second = Cache.open('counted')
    first.set('a', '1')
    first.close()
    await collect()
    console.log(second.get('a'))
    second.close()
    try {
      Cache.open('counted')
    } catch (error) {
      console.log(error.code)
    }
  `)
  t.is(out, '1\nERR_NO_SUCH_CACHE')
})

test('a handle names its process: elsewhere it opens nothing', async t => {
  const out = await script(`
    const { fork } = await import('node:child_process')
    const { writeFileSync } = await import('node:fs')
    const { once } = await import('node:events')
    const folder = ${JSON.stringify(folderOf(t, 'handle'))}
    writeFileSync(folder + '/child.mjs', \`
      import { Cache } from '\${process.cwd()}/dist/index.js'
      // The number of the parent's cache is that of this one here.
      const own = new Cache({ max: 10 })
      process.once('message', handle => {
        try {
          Cache.attach(handle)
          process.send('opened')
        } catch (error) {
          process.send([error.code, handle.breakwater === own.handle.breakwater])
        }
      })
    \`)
    const cache = new Cache({ max: 10 })
    const child = fork(folder + '/child.mjs', { execArgv: [] })
    child.send(cache.handle)
    const [answer] = await once(child, 'message')
    child.disconnect()
    await once(child, 'exit')
    console.log(JSON.stringify(answer))
    console.log(Cache.attach(structuredClone(cache.handle)).size)
  `)
  t.is(out, '["ERR_INVALID_HANDLE",true]\n0')
})

test('the memory of a cache that is closed comes back at once', async t => {
  const out = await script(`
    for (let i = 0; i < 40; i++) {
      const cache = new Cache({ maxBytes: '64mb', codec: bytes() })
      const value = Buffer.alloc(1024 * 1024, 1)
      for (let j = 0; j < 30; j++) cache.set(String(j), value)
      cache.close()
    }
    console.log(process.memoryUsage().rss < 400 * 1024 * 1024)
  `)
  t.is(out, 'true')
})

test('a process that ends in the middle of a save ends well', async t => {
  const out = await script(`
    const cache = new Cache({ max: 100000 })
    for (let i = 0; i < 50000; i++) cache.set('key ' + i, 'v'.repeat(100))
    cache.save('/dev/null/nowhere').catch(error => console.log(error.code))
  `)
  t.is(out, 'ERR_SNAPSHOT_IO')
})
