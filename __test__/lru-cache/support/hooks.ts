// What the hooks of a cache were told, in order.

/** Hooks that write down each call as `[hook, key, value, reason]`. */
export function recorder<K, V>() {
  const calls: [string, K, V, string][] = []
  const write = (hook: string) => (value: V, key: K, reason: string) => {
    calls.push([hook, key, value, reason])
  }
  return {
    hooks: {
      dispose: write('dispose'),
      disposeAfter: write('disposeAfter'),
      onInsert: write('onInsert'),
    },
    /** The calls since the last time. */
    taken: () => calls.splice(0),
  }
}
