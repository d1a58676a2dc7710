// Whether the system gives this process enough descriptors for what cannot do with some of them.
import { builtin } from './builtin.ts'

/** What a thread takes to begin, and some for what others take meanwhile. */
const OF_THREAD = 8

/**
 * Throws what the system says where there are too few descriptors for another thread: one that gets a
 * part of them does not start, and Node.js never gives back what it got.
 */
export function needThreadDescriptors(): void {
  const { closeSync, openSync } = builtin('node:fs')
  const { devNull } = builtin('node:os')
  const held: number[] = []
  try {
    while (held.length < OF_THREAD) held.push(openSync(devNull, 'r'))
  } finally {
    for (const descriptor of held) closeSync(descriptor)
  }
}
