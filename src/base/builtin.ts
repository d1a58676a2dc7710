// Modules of Node.js that take long to load and are seldom needed: loaded when they are.
import { createRequire } from 'node:module'

/** What there is, and its types. */
interface Builtins {
  'node:child_process': typeof import('node:child_process')
  'node:crypto': typeof import('node:crypto')
  'node:fs': typeof import('node:fs')
  'node:http': typeof import('node:http')
  'node:https': typeof import('node:https')
  'node:os': typeof import('node:os')
  'node:tls': typeof import('node:tls')
  'node:v8': typeof import('node:v8')
  'node:worker_threads': typeof import('node:worker_threads')
}

/** A module of Node.js by its name. */
export function builtin<N extends keyof Builtins>(name: N): Builtins[N] {
  // Node.js 20 before 20.16 has no such function; a bundle may have no URL.
  const found: unknown = process.getBuiltinModule?.(name) ?? createRequire(import.meta.url)(name)
  return found as Builtins[N]
}
