// Where a snapshot lies.
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { InvalidOptionError } from './errors.ts'

/**
 * The absolute path of a snapshot.
 *
 * @param isHeap - whether the cache holds objects, which no file can.
 */
export function filePath(path: string | URL, isHeap: boolean): string {
  if (isHeap) {
    throw new InvalidOptionError('codec', 'heap', 'one whose values can be written to a file')
  }
  if (typeof path !== 'string' && !(path instanceof URL)) {
    throw new InvalidOptionError('path', path, 'a path or a file: URL')
  }
  return typeof path === 'string' ? resolve(path) : fileURLToPath(path)
}
