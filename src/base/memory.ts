// How much memory the process may use.
import { builtin } from './builtin.ts'

/**
 * Bytes that the process may use: the limit of its cgroup (version 2 or 1) or of the machine,
 * whichever is lower.
 */
export function memoryLimit(read: (path: string) => string = readText): number {
  let limit = builtin('node:os').totalmem()
  for (const path of limitFiles(read)) {
    // "max" (version 2) and absurdly large numbers (version 1) mean that there is no limit.
    const bytes = Number(attempt(read, path))
    if (bytes > 0 && bytes < limit) limit = bytes
  }
  return limit
}

/** The files that may hold a limit: of the process's own cgroup and of all groups around it. */
function limitFiles(read: (path: string) => string): string[] {
  const files: string[] = []
  // A line is `id:controllers:path`; version 2 has the id 0 and no controllers.
  for (const line of attempt(read, '/proc/self/cgroup').split('\n')) {
    const [id, controllers, ...rest] = line.split(':')
    const version2 = id === '0' && controllers === ''
    if (!version2 && !controllers?.split(',').includes('memory')) continue
    const root = version2 ? '/sys/fs/cgroup' : '/sys/fs/cgroup/memory'
    const file = version2 ? 'memory.max' : 'memory.limit_in_bytes'
    const parts = rest
      .join(':')
      .split('/')
      .filter(part => part !== '' && part !== '..')
    for (let depth = parts.length; depth >= 0; depth--) {
      files.push([root, ...parts.slice(0, depth), file].join('/'))
    }
  }
  return files
}

function attempt(read: (path: string) => string, path: string): string {
  try {
    return read(path).trim()
  } catch {
    return ''
  }
}

function readText(path: string): string {
  return builtin('node:fs').readFileSync(path, 'utf8')
}
