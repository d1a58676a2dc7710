// systemd, or what speaks as it does: told of what the node does, asked for the sockets that it opened.
import { timersOf } from '../base/timers.ts'
import { tellManager } from '../router/manager.ts'
import type { Settings } from './settings.ts'

/** The first descriptor that a manager gives. */
const FIRST = 3

/** What manages this process, if anything does: see sd_notify(3) and sd_listen_fds(3). */
export class Manager {
  readonly #socket: string | undefined
  readonly #fds: number[]
  #stopping = false

  private constructor(socket: string | undefined, fds: number[], watchdog: number) {
    this.#socket = socket
    this.#fds = fds
    if (watchdog > 0) this.#live(watchdog)
  }

  /** Takes what the environment says, and clears it: it is not meant for processes of this one. */
  static ofProcess(env: NodeJS.ProcessEnv = process.env): Manager {
    const { NOTIFY_SOCKET, LISTEN_PID, LISTEN_FDS, WATCHDOG_PID, WATCHDOG_USEC } = env
    const isOurs = (pid: string | undefined) => pid === String(process.pid)
    const count = isOurs(LISTEN_PID) ? whole(LISTEN_FDS) : 0
    const isWatched = WATCHDOG_PID === undefined || isOurs(WATCHDOG_PID)
    const names = ['NOTIFY_SOCKET', 'LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES']
    for (const name of [...names, 'WATCHDOG_PID', 'WATCHDOG_USEC']) delete env[name]
    const fds = Array.from({ length: count }, (_, at) => FIRST + at)
    return new Manager(NOTIFY_SOCKET, fds, isWatched ? whole(WATCHDOG_USEC) / 1000 : 0)
  }

  /** Has a node listen on the sockets that were given, if there are any, and nowhere else. */
  withSockets(settings: Settings): Settings {
    if (this.#fds.length === 0) return settings
    const { listen = {} } = settings.config
    const { proxyProtocol } = listen
    return {
      ...settings,
      config: { ...settings.config, listen: { fds: this.#fds, proxyProtocol } },
    }
  }

  /** It serves. */
  ready(): void {
    if (!this.#stopping) this.#tell('READY=1', 'STATUS=serves clients')
  }

  /** It reads its configuration anew; {@link Manager.ready} follows, whatever came of it. */
  reloading(): void {
    if (this.#stopping) return
    this.#tell('RELOADING=1', `MONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`)
  }

  /** It drains. */
  stopping(): void {
    this.#stopping = true
    this.#tell('STOPPING=1', 'STATUS=drains')
  }

  /** Says twice as often as needed that the main thread is alive. */
  #live(within: number): void {
    timersOf(undefined).after(within / 2, () => {
      this.#tell('WATCHDOG=1')
      this.#live(within)
    })
  }

  #tell(...lines: string[]): void {
    if (this.#socket !== undefined) tellManager(this.#socket, lines)
  }
}

function whole(text: string | undefined): number {
  return /^\d{1,15}$/.test(text ?? '') ? Number(text) : 0
}
