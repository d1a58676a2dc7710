/** Runs a side in a process of its own, so that no side's heap weighs on another's. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'

/** A process that answers each message with one. */
export class Child {
  readonly #process: ChildProcess

  /** Starts `module`, which calls {@link answer}. */
  constructor(module: URL, flags: readonly string[] = []) {
    const execArgv = [...process.execArgv, '--expose-gc', '--max-old-space-size=8192', ...flags]
    this.#process = fork(module, { execArgv, serialization: 'advanced' })
  }

  /** Sends a request and waits for its answer. */
  async ask<A>(request: object): Promise<A> {
    const failed = new AbortController()
    const died = once(this.#process, 'exit', { signal: failed.signal }).then(([code]) => {
      throw new Error(`the measured process ended with ${code}`)
    })
    this.#process.send(request)
    try {
      const [answer] = await Promise.race([once(this.#process, 'message'), died])
      return answer as A
    } finally {
      died.catch(() => {})
      failed.abort()
    }
  }

  /** Ends it, if it did not end by itself. */
  async end(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return
    const exited = once(this.#process, 'exit')
    this.#process.disconnect()
    await exited
  }
}

/** In the child: answers each request. */
export function answer<Q>(reply: (request: Q) => unknown): void {
  process.on('message', async request => {
    process.send?.(await reply(request as Q))
  })
}
