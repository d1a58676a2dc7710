// The two classes that must behave alike: lru-cache itself, which is the truth, and the drop-in.
import test, { type ExecutionContext } from 'ava'
import { LRUCache as Theirs } from 'lru-cache'
import { LRUCache as Ours } from '../../../src/lru-cache/index.ts'

/** The class as lru-cache types it. */
export type LRUCacheClass = typeof Theirs

/** What a key or value may be. */
export type Any = NonNullable<unknown>

export const implementations: readonly (readonly [string, LRUCacheClass])[] = [
  ['lru-cache', Theirs],
  ['breakwater', Ours as unknown as LRUCacheClass],
]

type Body = (t: ExecutionContext, LRUCache: LRUCacheClass) => void | Promise<void>

/** One sentence of the contract, tested on both. */
export function contract(title: string, body: Body): void {
  for (const [name, LRUCache] of implementations) {
    test(`${name}: ${title}`, t => body(t, LRUCache))
  }
}

/** As `contract`, one after the other: for tests that replace something global. */
export function contractSerial(title: string, body: Body): void {
  for (const [name, LRUCache] of implementations) {
    test.serial(`${name}: ${title}`, t => body(t, LRUCache))
  }
}
