// Hash tags of Redis Cluster: which part of a key decides where it lives.

/** What is between the first `{` and the next `}`, if that is anything; else the whole key. */
export function tagOf(key: string): string {
  const open = key.indexOf('{')
  if (open < 0) return key
  const close = key.indexOf('}', open + 1)
  return close > open + 1 ? key.slice(open + 1, close) : key
}
