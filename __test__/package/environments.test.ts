// Facades: one thread loads the package more than once, as test runners with a registry for each file do.
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import test from 'ava'

const folder = join(import.meta.dirname, '../../dist/binding')

// biome-ignore lint/suspicious/noExplicitAny: the native side as it is, without the facade
type Raw = any

/** Loads the module once more; what it hears of removals goes to `heard`. */
function load(heard: unknown[]): Raw {
  const module = { exports: {} as Raw }
  const file = readdirSync(folder).find(name => name.endsWith('.node'))
  process.dlopen(module, join(folder, file ?? ''))
  return module.exports.setup({
    makeError: (code: string) => new Error(code),
    deliver: (removals: unknown[]) => heard.push(...removals),
    later: () => {},
    fly: () => {},
    scratch: Buffer.allocUnsafeSlow(64 * 1024 + Uint32Array.BYTES_PER_ELEMENT),
  })
}

test('what one environment of a thread removes another one hears of by itself', async t => {
  t.true(existsSync(folder))
  const heard: unknown[] = []
  const [one, other] = [load([]), load(heard)]
  const options = { max: 10, policy: 'lru', codec: 'string', codecId: 1, accepts: 1 }
  const cache = one.open({ ...options, jitter: 0, grace: 0 })
  const guest = other.attach(cache.id, cache.process)
  other.listen(guest.number, 0)
  for (const key of ['a', 'b']) {
    one.set(cache.number, key, key)
    one.delete(cache.number, key)
    // Nobody calls the other environment meanwhile.
    while (!heard.includes(key)) await setTimeout(10)
  }
  one.close(cache.number)
  other.close(guest.number)
})
