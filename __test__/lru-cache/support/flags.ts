// The options that say yes or no: a cache takes them when it is made, and has them as fields.
const FLAGS = [
  'allowStale',
  'updateAgeOnGet',
  'updateAgeOnHas',
  'noDeleteOnStaleGet',
  'noDisposeOnSet',
  'noUpdateTTL',
  'noDeleteOnFetchRejection',
  'allowStaleOnFetchRejection',
] as const

/** Each of them, with the values that it is tried with. */
export function flagsAt(values: readonly unknown[]): Record<string, readonly unknown[]> {
  return Object.fromEntries(FLAGS.map(flag => [flag, values]))
}
