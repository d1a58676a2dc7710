// Deep freezing, for values that several callers share.

/**
 * Freezes a value and all that it holds, so that a change throws in strict mode. Not the insides of
 * what cannot be frozen: bytes, dates, maps, sets.
 */
export function deepFreeze<V>(value: V): V {
  const pending: unknown[] = [value]
  for (let next = pending.pop(); next !== undefined || pending.length > 0; next = pending.pop()) {
    if (typeof next !== 'object' || next === null) continue
    if (ArrayBuffer.isView(next) || Object.isFrozen(next)) continue
    Object.freeze(next)
    for (const name of Reflect.ownKeys(next)) {
      const property = Object.getOwnPropertyDescriptor(next, name)
      if (property !== undefined && 'value' in property) pending.push(property.value)
    }
  }
  return value
}
