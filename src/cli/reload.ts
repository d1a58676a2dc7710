// Reloading the configuration of a node that serves: on SIGHUP, when its files change, and by order.
import type { Admin } from '../admin/index.ts'
import { InvalidOptionError } from '../base/errors.ts'
import { timersOf } from '../base/timers.ts'
import type { RouterConfig } from '../router/config.ts'
import type { Router } from '../router/index.ts'
import { explained } from './check.ts'
import type { Log } from './log.ts'
import type { Settings } from './settings.ts'
import type { Signals } from './signals.ts'
import type { Manager } from './systemd.ts'

/** How often files are looked at that are watched, in milliseconds. */
const LOOK = 1000

/** What is reloaded. */
export interface Reloaded {
  router: Router
  /** The admin entrance, if there is one. */
  admin: Admin | undefined
  /** The configuration, anew. */
  read: () => Promise<Settings>
  manager: Manager
  log: Log
}

/** Reloads, and says what came of it; rejects with why not, in the words of who gave the options. */
export async function reloadNow({ router, admin, read, manager, log }: Reloaded) {
  let settings: Settings | undefined
  manager.reloading()
  try {
    let apply = () => {}
    const result = await router.reload(async () => {
      settings = await read()
      const { config } = settings
      log.check(config.logFormat)
      apply = prepareAdmin(admin, config)
      const { listen = {} } = config
      return { logger: log.logger, ...config, listen }
    })
    apply()
    log.level = settings?.config.logLevel
    return { result, settings: settings! }
  } catch (error) {
    const why = settings === undefined ? (error as Error).message : explained(error, settings)
    log.tell('error', { event: 'reload_refused', reason: why }, `not reloaded: ${why}`)
    const { code } = error as NodeJS.ErrnoException
    throw Object.assign(new Error(why), { code })
  } finally {
    manager.ready()
  }
}

/** Checks what a configuration says of the admin entrance; what it gives applies that. */
function prepareAdmin(admin: Admin | undefined, { admin: config }: RouterConfig): () => void {
  if ((admin === undefined) !== (config === undefined)) {
    const [now, asked] = admin === undefined ? ['left out', 'given'] : ['given', 'left out']
    throw new InvalidOptionError('admin', asked, `${now} until the node is started anew`)
  }
  return admin?.prepare(config) ?? (() => {})
}

/** Reloads on SIGHUP and, if `watches` says so, when a file of the configuration changes. */
export function reloadWhenAsked(
  what: Reloaded,
  first: Settings,
  signals: Signals,
  watches: boolean,
): void {
  let { files } = first
  const reload = async () => {
    try {
      files = (await reloadNow(what)).settings.files
    } catch {
      // It has been told.
    }
  }
  const watch = async () => {
    if (await files.haveChanged()) await reload()
    timersOf(undefined).after(LOOK, watch)
  }
  signals.reloadBy(() => void reload())
  if (watches) watch()
}
