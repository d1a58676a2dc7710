// The native driver of one thread: its sockets are served in its event loop, without JavaScript.
import { neutrally } from '../base/context.ts'
import { type HookError, InternalError } from '../base/errors.ts'
import { now, setTimeout } from '../base/runtime.ts'
import { FaultCost, startSockets } from '../native/router.ts'
import { type Drain, inSlices } from './drain.ts'
import type { Share } from './entrances.ts'
import { type Answer, nativeHooks } from './hooks/calls.ts'
import type { CheckedHooks } from './hooks/define.ts'

/** How often a thread looks whether its last connection has ended, or its last read, in milliseconds. */
const LOOK = 5
/** No reads of another process. */
const NOTHING = new Uint8Array()

/** What serves the connections of one thread. */
export interface ThreadDriver {
  /** Opens connections to the store before a client needs one. */
  meet(): void
  /** Has these hooks asked from now on; none, without. */
  setHooks(hooks: CheckedHooks | undefined): void
  /** Accepts no more, answers what was received, ends all connections; done when they are closed. */
  drain(how: Drain): Promise<void>
}

/** What serves them without JavaScript. */
export interface NativeDriver extends ThreadDriver {
  /**
   * Reads of the store what another process has read most, for so many milliseconds at most; whether that
   * was all of it. What is left is read `behind` that, for so many at most.
   */
  warm(hot: Uint8Array, within: number, behind?: number): Promise<boolean>
  /** Accepts from these as well; their descriptors are the driver's. */
  enter(shares: readonly Share[]): void
}

/** A bug, and what it cost. */
export interface Fault {
  /** See {@link FaultCost}. */
  cost: number
  why: string
}

/**
 * Whether this runtime has the event loop that the native driver lives in. Bun has the functions and
 * ends the process when they are called.
 */
export function isNative(): boolean {
  const { bun, deno } = process.versions
  return process.platform !== 'win32' && bun === undefined && deno === undefined
}

/**
 * Serves who connects to listening sockets.
 *
 * @param shares - with descriptors of its own, which the driver closes in the end.
 * @param told - hears of bugs that cost clients their connections.
 * @param failed - hears of hooks that fail.
 * @param hooks - what has a say in requests from the first one on.
 * @returns `undefined` where that cannot be: the descriptors are the caller's still.
 */
export function serveNatively(
  router: number,
  shares: readonly Share[],
  told: (fault: Fault) => void,
  failed: (error: HookError) => void,
  hooks: CheckedHooks | undefined,
): NativeDriver | undefined {
  const hear = (cost: number, why: string) => told({ cost, why })
  const native = (hooks: CheckedHooks | undefined) => {
    const answer: Answer = (...said) => sockets?.answer(...said)
    return nativeHooks(router, hooks, answer, failed)
  }
  // What hooks begin is nobody's.
  const sockets = isNative()
    ? neutrally(() => startSockets?.(router, flat(shares), hear, native(hooks)))
    : undefined
  if (sockets === undefined) return undefined
  return {
    setHooks: next => neutrally(() => sockets.setHooks(native(next))),
    meet: () => sockets.meet(),
    enter: shares => sockets.enter(flat(shares)),
    async warm(hot, within, behind = 0) {
      sockets.warm(hot)
      const isOver = async (time: number) => {
        for (const until = now() + time; sockets.isWarming() && now() < until; ) await pause()
        return !sockets.isWarming()
      }
      const whole = await isOver(within)
      const rest = whole ? Promise.resolve(whole) : isOver(behind)
      const stopped = rest.then(() => sockets.warm(NOTHING))
      if (behind === 0) await stopped
      return whole
    },
    async drain({ over, within }) {
      await inSlices(over, sockets.clients, most => sockets.drain(most, within))
      while (sockets.clients() > 0) await pause()
      sockets.close()
    },
  }
}

/** Entrances, each as two numbers. */
function flat(shares: readonly Share[]): number[] {
  return shares.flatMap(({ fd, kind }) => [fd, kind])
}

function pause(): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, LOOK))
}

/** What a bug is told by. */
export function faultError({ cost, why }: Fault): InternalError {
  const lost = cost === FaultCost.connection ? 'a connection' : 'all connections of a thread'
  return new InternalError(`a router lost ${lost}: ${why}`)
}
