// Reloading the configuration of a node that serves: on SIGHUP, and when its files change.
import { statSync, unwatchFile, watchFile } from 'node:fs'
import type { RouterConfig } from '../router/config.ts'
import type { Router } from '../router/index.ts'
import { explained } from './check.ts'
import type { Settings } from './settings.ts'

/** How often files are looked at that are watched, in milliseconds. */
const LOOK = 1000

/** Reloads what `read` gives, on SIGHUP and, if `watches` says so, when a file of it changes. */
export function reloadWhenAsked(
  router: Router,
  first: Settings,
  watches: boolean,
  read: () => Promise<Settings>,
): void {
  const watched = new Set<string>()
  const reload = async () => {
    let settings: Settings | undefined
    try {
      const { changed } = await router.reload(async () => {
        settings = await read()
        return { ...settings.config, listen: settings.config.listen ?? {} }
      })
      if (watches) watch(filesOf(settings!))
      process.stdout.write(`breakwater: reloaded: ${changed.join(', ') || 'nothing has changed'}\n`)
    } catch (error) {
      const why = settings === undefined ? (error as Error).message : explained(error, settings)
      process.stderr.write(`breakwater: not reloaded: ${why}\n`)
    }
  }
  /** Polls: it sees files that are replaced, links that are changed, and any file system. */
  const watch = (files: string[]) => {
    for (const file of files.filter(file => !watched.has(file))) {
      watched.add(file)
      watchFile(file, { interval: LOOK }, (now, before) => {
        const changed = now.mtimeMs !== before.mtimeMs || now.ino !== before.ino
        if (changed || now.size !== before.size) reload()
      })
    }
    for (const file of [...watched].filter(file => !files.includes(file))) {
      watched.delete(file)
      unwatchFile(file)
    }
  }
  process.on('SIGHUP', reload)
  if (watches) watch(filesOf(first))
}

/** The file of a configuration, and those that it names. */
function filesOf({ file, config }: Settings): string[] {
  const { tls, storeTls }: RouterConfig = config
  const named = [file, tls?.cert, tls?.key, tls?.ca, storeTls?.ca, storeTls?.cert, storeTls?.key]
  const files = named.flat().filter(name => name !== undefined)
  return files.filter(name => statSync(name, { throwIfNoEntry: false }) !== undefined)
}
