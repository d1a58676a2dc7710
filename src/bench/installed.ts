// Packages as the user has installed them: found from the folder that the command runs in.
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'

/** A package that is installed. */
export interface Installed {
  readonly version: string
  /** Of the file that its importers get. */
  readonly url: string
}

/** A package by its name, from a folder upwards. */
export function installed(name: string, folder = process.cwd()): Installed | undefined {
  const own = join(folder, 'node_modules', name)
  if (existsSync(join(own, 'package.json'))) {
    const { version, exports, module, main } = JSON.parse(
      readFileSync(join(own, 'package.json'), 'utf8'),
    )
    const entry = entryOf(exports) ?? module ?? main ?? 'index.js'
    return { version, url: pathToFileURL(join(own, entry)).href }
  }
  const above = dirname(folder)
  return above === folder ? undefined : installed(name, above)
}

/** Where the conditions of an import lead. */
function entryOf(exports: unknown): string | undefined {
  if (typeof exports === 'string') return exports
  if (typeof exports !== 'object' || exports === null) return undefined
  const key = ['.', 'import', 'node', 'default'].find(key => key in exports)
  return key && entryOf((exports as Record<string, unknown>)[key])
}
