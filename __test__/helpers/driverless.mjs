// Loaded before a program and its workers: the workers take their runtime for one that has not the event loop
// that the native driver needs.
import { isMainThread } from 'node:worker_threads'

if (!isMainThread) {
  const { versions } = process
  Object.defineProperty(process, 'versions', { value: { ...versions, bun: '1.0.0' } })
}
