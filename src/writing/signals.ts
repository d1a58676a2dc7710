// Lets what is pending be written before a signal ends the process.
import { builtin } from '../base/builtin.ts'

/** Something that has to be written before the end. */
export interface Flushable {
  /** Writes what is pending. */
  flush(): Promise<void>
  /** Writes what is pending, within a time, for the last time. */
  close(): Promise<void>
}

/** Marks our listeners, whichever copy of this package added them. */
const OURS: unique symbol = Symbol.for('breakwater.flush') as never

type Listener = ((signal: NodeJS.Signals) => void) & { [OURS]?: true }

/** What is pending, by signal, with the listener that is there as long as something is. */
const hooks = new Map<NodeJS.Signals, { pending: Set<Flushable>; listener: Listener }>()

/** From now on these signals wait for it. Only the main thread hears of signals. */
export function hook(flushable: Flushable, signals: readonly NodeJS.Signals[]): void {
  if (!builtin('node:worker_threads').isMainThread) return
  for (const signal of signals) {
    const { pending } = hooks.get(signal) ?? listen(signal)
    pending.add(flushable)
  }
}

/** Nothing of it is pending any more. */
export function unhook(flushable: Flushable, signals: readonly NodeJS.Signals[]): void {
  for (const signal of signals) {
    const entry = hooks.get(signal)
    entry?.pending.delete(flushable)
    if (entry?.pending.size === 0) unlisten(signal)
  }
}

function listen(signal: NodeJS.Signals) {
  let isEnding = false
  const listener: Listener = () => {
    // Who asks twice does not want to wait.
    if (isEnding) return raise(signal)
    // Somebody else decides when the process ends, and may write until then.
    const listeners = process.listeners(signal) as Listener[]
    isEnding = listeners.every(listener => listener[OURS])
    end(signal, isEnding)
  }
  listener[OURS] = true
  const entry = { pending: new Set<Flushable>(), listener }
  hooks.set(signal, entry)
  // The first, so that it sees those who listen once: they are gone when they have been called.
  process.prependListener(signal, listener)
  return entry
}

function unlisten(signal: NodeJS.Signals): void {
  const entry = hooks.get(signal)
  if (entry === undefined) return
  hooks.delete(signal)
  process.removeListener(signal, entry.listener)
}

/** Writes what is pending; then, if nobody else listens, the signal does what it does without us. */
async function end(signal: NodeJS.Signals, isAlone: boolean): Promise<void> {
  const pending = [...(hooks.get(signal)?.pending ?? [])]
  await Promise.allSettled(pending.map(each => (isAlone ? each.close() : each.flush())))
  if (isAlone) raise(signal)
}

/** Ends the process by the signal, unless another copy of this package still writes. */
function raise(signal: NodeJS.Signals): void {
  unlisten(signal)
  const others = process.listeners(signal) as Listener[]
  if (others.length === 0) process.kill(process.pid, signal)
}
