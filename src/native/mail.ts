// News of flights from the native side, on their way to the instances that wait.
import { tell } from '../base/report.ts'

/** What came of a flight beside what `State` names. */
export const VALUE = 1
export const FAILED = 7
/** This instance leads now, by the lease that is the value. */
export const LEAD = 8
/** Nobody in another isolate waits any more. */
export const ALONE = 9
/** Another one leads now. */
export const OVERTAKEN = 10
/** It ended and brought nothing. */
export const GONE = 11

/** What `handOver` and `overdue` of the binding tell: nobody waits elsewhere. */
export const ALONE_HERE = 0
/** Who waited longest leads, and this instance waits. */
export const PASSED = 1
/** Another one led already, or has told what it loaded: this instance waits for that. */
export const LOST = 2

/** An instance that takes part in flights. */
export type Fly = (flight: number, kind: number, value: unknown) => void

/** By the instances' numbers. Weak, so that a cache that is forgotten is collected. */
export type Flyers = Map<number, WeakRef<Fly>>

/** Hands on `[instance, flight, kind, value]` of each piece of news, flat. */
export function fly(flyers: Flyers, news: unknown[]): void {
  for (let i = 0; i < news.length; i += 4) {
    const hear = flyers.get(news[i] as number)?.deref()
    if (hear !== undefined) tell(hear, news[i + 1] as number, news[i + 2] as number, news[i + 3])
  }
}
