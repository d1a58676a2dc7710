// The file of a configuration: found, read by its kind.
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, extname, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { RouterConfig } from '../router/config.ts'

/** The kinds of files, by how their names end. */
const KINDS = ['.ts', '.mts', '.js', '.mjs', '.cjs', '.json', '.yaml', '.yml']

/** A file that cannot be found or read. */
export class ConfigFileError extends Error {}

/** The file that is meant: the one that is named, or the one of this folder, if there is one. */
export function findConfig(named?: string): string | undefined {
  if (named !== undefined) {
    if (!existsSync(named)) throw new ConfigFileError(`${named} does not exist`)
    if (KINDS.includes(extname(named))) return named
    throw new ConfigFileError(`${named} must end with one of ${KINDS.join(', ')}`)
  }
  const found = KINDS.map(kind => `breakwater.config${kind}`).filter(name => existsSync(name))
  if (found.length > 1) {
    throw new ConfigFileError(`there are ${found.join(' and ')}: keep one, or name it`)
  }
  return found[0]
}

/** How often a file was read: each time its module is another one. */
let reads = 0

/** Reads a file, anew each time; modules that it imports are read once. Throws {@link ConfigFileError}, which names it and shows nothing of it. */
export async function readConfig(file: string): Promise<RouterConfig> {
  try {
    return ((await parse(resolve(file), extname(file))) ?? {}) as RouterConfig
  } catch (error) {
    throw new ConfigFileError(`${basename(file)} cannot be read: ${reason(error)}`)
  }
}

async function parse(path: string, kind: string): Promise<unknown> {
  switch (kind) {
    case '.json':
      return JSON.parse(readFileSync(path, 'utf8'))
    case '.yaml':
    case '.yml': {
      const { parse } = await import('yaml')
      return parse(readFileSync(path, 'utf8'))
    }
    case '.ts':
    case '.mts': {
      const { createJiti } = await import('jiti')
      return createJiti(import.meta.url, { moduleCache: false }).import(path, { default: true })
    }
    case '.cjs': {
      const require = createRequire(import.meta.url)
      delete require.cache[require.resolve(path)]
      return require(path)
    }
    default: {
      const url = pathToFileURL(path)
      if (reads++ > 0) url.search = `read=${reads}`
      return ((await import(url.href)) as { default?: unknown }).default
    }
  }
}

/** Why, without any of the file's text, which may be secret: parsers quote what they stumble over. */
function reason(error: unknown): string {
  const { name, code, linePos } = (error ?? {}) as {
    name?: string
    code?: string
    linePos?: { line: number }[]
  }
  const line = linePos?.[0]?.line
  if (name === 'SyntaxError') return 'it is not well-formed'
  if (name === 'YAMLParseError') return `it is not well-formed${line ? ` (line ${line})` : ''}`
  if (code !== undefined) return String(code)
  return error instanceof Error ? error.message : 'it throws no error'
}
