// Removals are told in bounded turns: a listener that causes more of them does not hold up the thread.
import test from 'ava'
import { Cache } from '../../src/index.ts'

/** How a listener causes the next removal, for ever. */
const ways: Record<string, (cache: Cache<string, string>, n: number) => unknown> = {
  'by a set': (cache, n) => cache.set(`more ${n}`, 'x'),
  'by many sets': (cache, n) => {
    for (let i = 0; i < 3; i++) cache.set(`more ${n} ${i}`, 'x')
  },
  'by a load that does not wait': (cache, n) => void cache.getOrSet(`more ${n}`, () => 'x'),
  'by a set in a microtask': (cache, n) => queueMicrotask(() => cache.set(`more ${n}`, 'x')),
  'by replacing': cache => cache.set('same', 'x'),
}

for (const [name, cause] of Object.entries(ways)) {
  test.serial(`timers fire while removals cause removals ${name}`, async t => {
    t.timeout(120_000)
    const cache = new Cache<string, string>({ max: 4 })
    for (let i = 0; i < 4; i++) cache.set(`key ${i}`, 'x')
    let told = 0
    let goesOn = true
    const off = cache.onRemoval(() => {
      if (goesOn) cause(cache, ++told)
    })
    cache.set('same', 'x').set('same', 'y')
    for (let i = 0; i < 3; i++) await new Promise(resolve => setTimeout(resolve, 1))
    t.true(told > 100, String(told))
    goesOn = false
    off()
    await cache.close()
  })
}

test.serial('however many removals a call causes, they are told at its end', t => {
  const cache = new Cache<number, number>({ max: 50_000, codec: 'number', near: false })
  for (let i = 0; i < 50_000; i++) cache.set(i, i)
  let told = 0
  cache.onRemoval(() => told++)
  cache.clear()
  t.is(told, 50_000)
})

test.serial(
  'in a loop of more removals than a turn tells they all come, in their order',
  async t => {
    const cache = new Cache<number, number>({
      max: 10,
      policy: 'lru',
      codec: 'number',
      near: false,
    })
    const told: number[] = []
    cache.onRemoval(key => told.push(key))
    for (let i = 0; i < 30_010; i++) cache.set(i, i)
    t.true(told.length >= 29_500, 'few wait')
    while (told.length < 30_000) await new Promise(resolve => setImmediate(resolve))
    t.deepEqual(
      told,
      Array.from({ length: 30_000 }, (_, i) => i),
    )
    await cache.close()
  },
)
