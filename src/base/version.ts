// This package's version, as its manifest has it.
import { builtin } from './builtin.ts'

/** Where the manifest is, from the sources and from each of the builds. */
const PLACES = ['../../package.json', '../package.json', '../../../package.json']

/** This package's version. */
export function version(): string {
  for (const path of PLACES) {
    try {
      const text = builtin('node:fs').readFileSync(new URL(path, import.meta.url), 'utf8')
      const manifest = JSON.parse(text)
      if (manifest.name === 'breakwater') return manifest.version
    } catch {
      // It is in another place.
    }
  }
  return 'unknown'
}
