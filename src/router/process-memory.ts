// What the processes of a router remember, for those who run it: looked at, forgotten, watched as if it
// were one memory.
import {
  bytesOf,
  type Invalidations,
  type KnownKey,
  MemoryListeners,
  type MemoryOrder,
  Orders,
  type RouterMemory,
} from './memory.ts'
import { mergedKey } from './merge.ts'
import type { Questions } from './messages.ts'
import type { Processes } from './processes.ts'

export class ProcessMemory implements RouterMemory {
  readonly #processes: () => Processes | undefined
  readonly #listeners = new MemoryListeners(listened => this.#listen(listened))
  readonly #orders = new Orders()
  readonly #routes: Pick<RouterMemory, 'inspect'>

  /**
   * @param processes - those that serve; `undefined` while none does.
   * @param routes - knows routes, where no process does.
   */
  constructor(processes: () => Processes | undefined, routes: Pick<RouterMemory, 'inspect'>) {
    this.#processes = processes
    this.#routes = routes
  }

  async inspect(key: string | Uint8Array): Promise<KnownKey> {
    const all = await this.#ask('inspect', bytesOf(key))
    return mergedKey(all) ?? this.#routes.inspect(key)
  }

  async invalidate(key: string | Uint8Array): Promise<boolean> {
    const all = await this.#ask('invalidate', bytesOf(key))
    const was = all.some(({ answer }) => answer)
    this.#orders.note('invalidate', key, was ? 1 : 0)
    return was
  }

  async invalidatePrefix(prefix: string | Uint8Array): Promise<number> {
    const all = await this.#ask('invalidatePrefix', bytesOf(prefix))
    const count = all.reduce((sum, { answer }) => sum + answer, 0)
    this.#orders.note('invalidatePrefix', prefix, count)
    return count
  }

  async flush(): Promise<void> {
    await this.#ask('flush', undefined)
    this.#orders.note('flush', '', 0)
  }

  listen(listener: (news: Invalidations) => void): () => void {
    return this.#listeners.add(listener)
  }

  get orders(): readonly MemoryOrder[] {
    return this.#orders.list
  }

  /** Something has left the memory of one. */
  left(news: Invalidations): void {
    this.#listeners.tell(news)
  }

  /** Those that serve now begin as others have listened before. */
  begun(processes: Processes): void {
    if (this.#listeners.any) processes.listen(true).catch(() => {})
  }

  #listen(listens: boolean): void {
    // One that does not answer tells when it does again.
    this.#processes()
      ?.listen(listens)
      .catch(() => {})
  }

  async #ask<Q extends keyof Questions>(question: Q, of: Questions[Q]['of']) {
    return (await this.#processes()?.ask(question, of)) ?? []
  }
}
