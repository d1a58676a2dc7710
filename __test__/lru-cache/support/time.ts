// Time that a test moves, and the events of a cache in their order.

/** What `perf` takes. It begins above 0, which lru-cache reads as 'no time'. */
export class Clock {
  constructor(public time = 1000) {}

  readonly now = (): number => this.time

  advance(ms: number): void {
    this.time += ms
  }
}

/** Options of a cache whose time is `clock`, read at each look. */
export function timed(clock: Clock) {
  return { perf: clock, ttlResolution: 0 } as const
}

/** Lets all promises settle that can. */
export async function settle(): Promise<void> {
  await new Promise(resolve => setImmediate(resolve))
}

/** What a promise came to. */
export async function outcome(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    value => ({ value }),
    error => ({ error: error instanceof Error ? error.message : error }),
  )
}

/** A promise that a test settles. */
export function deferred<V>() {
  let resolve!: (value: V) => void
  let reject!: (reason: unknown) => void
  const promise = new Promise<V>((yes, no) => {
    resolve = yes
    reject = no
  })
  return { promise, resolve, reject }
}
