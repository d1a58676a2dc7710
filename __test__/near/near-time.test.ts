// Hits of copies whose end is far off spare the look at the clock, and no copy outlives its entry.
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import test from 'ava'
import { Cache, type Policy } from '../../src/index.ts'

const run = promisify(execFile)

/** How often the clock was looked at during 10,000 hits of a copy, in a process of its own. */
async function looks(options: object): Promise<number> {
  const source = `
    const now = performance.now.bind(performance)
    let looks = 0
    performance.now = () => { looks++; return now() }
    const { Cache } = await import('./src/index.ts')
    const cache = new Cache({ max: 10, ...${JSON.stringify(options)} })
    cache.set('key', 'value')
    for (let hit = 0; hit < 10; hit++) cache.get('key')
    cache.resetStats()
    looks = 0
    for (let hit = 0; hit < 10_000; hit++) cache.get('key')
    if (cache.stats().nearHits !== 10_000) throw new Error('not by the copy')
    console.log(looks)
  `
  const { stdout } = await run('node', ['--import', 'tsx', '--input-type=module', '-e', source])
  return Number(stdout)
}

for (const policy of ['lfu', 'lru'] satisfies Policy[]) {
  test(`hits of an entry with an hour to live hardly look at the clock: ${policy}`, async t => {
    // Once a beat, four of which a second has.
    t.true((await looks({ policy, ttl: '1h' })) < 1000)
  })

  test(`a thread that only reads sees an entry with seconds to live until its end: ${policy}`, t => {
    const cache = new Cache<string, string>({ max: 10, policy, near: true })
    cache.set('key', 'value', { ttl: 2600 })
    // Rounded up to milliseconds, and none of the time that `set` took.
    const end = performance.now() + 2601
    // What is over before the read begins is not read. Nothing else is done: a call of `has` would find
    // it out for the copy too.
    for (let isOver = false; !isOver; ) {
      isOver = performance.now() > end
      const read = cache.get('key')
      if (isOver) t.is(read, undefined)
    }
    t.true(cache.stats().nearHits > 0)
  })
}
