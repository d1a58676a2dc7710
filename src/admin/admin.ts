// An admin entrance: what it goes by, what it answers, when it listens.
import { InvalidOptionError } from '../base/errors.ts'
import { type AdminConfig, checkAdmin } from '../router/admin.ts'
import type { Router } from '../router/index.ts'
import { memoryRoutes } from './memory.ts'
import { routesOf } from './node.ts'
import { type AdminOptions, type CheckedAdminOptions, checkAdminOptions } from './options.ts'
import { type AdminRoute, Routes } from './route.ts'
import { AdminServer } from './server.ts'

/** An admin entrance. */
export interface Admin {
  /**
   * Binds and serves; gives the address, as `'127.0.0.1:9121'` or `'unix:/run/breakwater.sock'`.
   * Rejects with the error of the system.
   */
  listen(): Promise<string>
  /** Where it listens; `undefined` if it does not. */
  readonly address: string | undefined
  /**
   * Answers these paths too, each in the place of what was answered there. What is mounted before it
   * listens is there from the first request on.
   */
  mount(...routes: AdminRoute[]): void
  /**
   * Takes other options, and reads the file of its token anew. `listen` cannot change.
   *
   * @throws InvalidOptionError an option that is wrong, or cannot change: nothing changes
   */
  reload(config?: AdminConfig): void
  /** As {@link Admin.reload}, up to the change itself, which the function that it gives makes. */
  prepare(config?: AdminConfig): () => void
  /** Answers what was asked, ends streams, and stops listening. */
  close(): Promise<void>
}

export class RouterAdmin implements Admin {
  #options: AdminOptions
  #checked: CheckedAdminOptions
  readonly #path: string
  readonly #routes = new Routes()
  readonly #server: AdminServer
  #address: string | undefined

  /** @param path - what the options are a part of, for errors: `'admin.'` in a configuration. */
  constructor(router: Router, options: AdminOptions, path = '') {
    this.#options = options
    this.#path = path
    this.#checked = checkAdminOptions(options, path)
    this.#server = new AdminServer(this.#routes, () => ({
      isLocal: 'path' in this.#checked.listen,
      token: this.#checked.token,
      hosts: this.#checked.hosts,
    }))
    const { reload = () => router.reload(), drain = () => router.close() } = options
    // What a drain fails with is for whoever waits for it.
    this.mount(...routesOf(router, { reload, drain: () => void drain().catch(() => {}) }))
    this.mount(...memoryRoutes(router, () => this.showsValues))
  }

  async listen(): Promise<string> {
    this.#address = await this.#server.listen(this.#checked.listen)
    return this.#address
  }

  get address(): string | undefined {
    return this.#address
  }

  /** Whether whoever has the token is shown values. */
  get showsValues(): boolean {
    return this.#checked.showValues
  }

  mount(...routes: AdminRoute[]): void {
    for (const route of routes) {
      if (!/^\/[\w./-]*$/.test(route.path)) {
        throw new InvalidOptionError('path', route.path, "a path, as '/metrics'")
      }
      this.#routes.add(route)
    }
  }

  reload(config?: AdminConfig): void {
    this.prepare(config)()
  }

  prepare(config?: AdminConfig): () => void {
    if (config !== undefined) checkAdmin(config, this.#path)
    const { token, reload, drain, listen } = this.#options
    const own = config === undefined || config.tokenFile === undefined ? { token } : {}
    const options = config === undefined ? this.#options : { ...config, ...own, reload, drain }
    const checked = checkAdminOptions(options, this.#path)
    if (options.listen !== listen) {
      const now = `'${listen}' until the node is started anew`
      throw new InvalidOptionError(`${this.#path}listen`, options.listen, now)
    }
    return () => {
      this.#options = options
      this.#checked = checked
    }
  }

  async close(): Promise<void> {
    this.#address = undefined
    await this.#server.close()
  }
}
