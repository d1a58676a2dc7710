// What can be done to a node from a dashboard.
import { factsOf, reportOf } from '../admin/memory.ts'
import type { Router, RouterMemory } from '../router/index.ts'
import type { Action, Outcome } from './frames.ts'
import { type Mode, matchOf, withMode } from './node-routes.ts'
import { keyOf } from './source.ts'

/** What a node can be asked for beyond what {@link Router} has, and what may be shown of it. */
export interface NodeControl {
  /** Ends the node in order, as a signal would. */
  drain?: (() => void) | undefined
  /** Whether values are shown. */
  showsValues?: (() => boolean) | undefined
}

/** Does to a node what viewers ask for. */
export class NodeActions {
  readonly #router: Router
  readonly #control: NodeControl

  constructor(router: Router, control: NodeControl) {
    this.#router = router
    this.#control = control
  }

  async act({ action, key, text = '', mode = 'on' }: Action): Promise<Outcome> {
    const memory = this.#router.memory
    switch (action) {
      case 'inspect':
        return this.#inspect(memory!, bytesOf(keyOf(key!)))
      case 'invalidate': {
        const was = await memory!.invalidate(bytesOf(keyOf(key!)))
        const said = was ? 'Invalidated.' : 'Invalidated; nothing of it was here.'
        return { ok: true, isTold: true, text: said }
      }
      case 'invalidatePrefix': {
        const count = await memory!.invalidatePrefix(text)
        return { ok: true, isTold: true, text: `Invalidated ${count} keys.` }
      }
      case 'flush':
        await memory!.flush()
        return { ok: true, isTold: true, text: 'Flushed. The stores are as they were.' }
      case 'pin':
        return this.#pin(pinned => [...new Set([...pinned, key!.text])])
      case 'unpin':
        return this.#pin(pinned => pinned.filter(each => each !== key!.text))
      case 'route':
        return this.#switch(text, mode)
      case 'restart':
        await this.#router.restart()
        return { ok: true, text: 'All threads were restarted.' }
      case 'drain':
        this.#control.drain?.()
        return { ok: true, text: 'The node drains, and ends.' }
      default:
        return { ok: false, text: `A node knows no ${action}.` }
    }
  }

  async #inspect(memory: RouterMemory, key: string | Buffer): Promise<Outcome> {
    const showsValues = this.#control.showsValues?.() ?? false
    const facts = factsOf(reportOf(await memory.inspect(key), showsValues))
    return { ok: true, text: 'This is known of it.', facts }
  }

  async #pin(change: (pinned: string[]) => string[]): Promise<Outcome> {
    return this.#reload(() => {
      const options = this.#router.options()
      const pinned = change(options.hotKeys?.pinned ?? [])
      return { ...options, hotKeys: { ...options.hotKeys, pinned } }
    })
  }

  async #switch(match: string, mode: Mode): Promise<Outcome> {
    return this.#reload(() => {
      const options = this.#router.options()
      const routes = options.routes ?? []
      if (!routes.some(route => matchOf(route) === match)) {
        // The route that there is without being named.
        return { ...options, routes: [...routes, { match, mode }] }
      }
      return {
        ...options,
        routes: routes.map(route => (matchOf(route) === match ? withMode(route, mode) : route)),
      }
    })
  }

  async #reload(config: Parameters<Router['reload']>[0]): Promise<Outcome> {
    const { changed } = await this.#router.reload(config)
    return { ok: true, text: `Reloaded: ${changed.join(', ') || 'nothing has changed'}.` }
  }
}

/** A key of a client: a number is its digits. */
function bytesOf(key: string | number | Buffer): string | Buffer {
  return typeof key === 'number' ? String(key) : key
}
