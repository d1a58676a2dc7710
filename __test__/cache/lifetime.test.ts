import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test from 'ava'

const run = promisify(execFile)
const root = fileURLToPath(new URL('../..', import.meta.url))

/** Runs a script in a process of its own and gives what it printed. */
async function script(body: string): Promise<string> {
  const source = `import { Cache, bytes, heap } from './src/index.ts'\n${body}`
  const flags = ['--expose-gc', '--import=tsx', '--input-type=module', '--eval', source]
  const { stdout } = await run(process.execPath, flags, { cwd: root, timeout: 60_000 })
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
