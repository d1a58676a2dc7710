// What the tests of migrating share.

/** A load that waits for the test, and a promise of its end as the cache has taken note of it. */
export function gate<V>() {
  let end: (value: V) => void
  const value = new Promise<V>(resolve => (end = resolve))
  return {
    open: () => value,
    end: (value: V) => end(value),
    /** Resolves when who waits for the load has heard of it. */
    get done() {
      return value.then(() => new Promise<void>(resolve => setImmediate(resolve)))
    },
  }
}
