// When a router may be started and stopped: its states, and what moves it from one to another.
import { BreakwaterError } from '../base/errors.ts'

/**
 * - `idle`: it was made, or could not listen.
 * - `opening`: it begins to listen.
 * - `open`: it serves.
 * - `closing`: it answers what it received, or waits for what was opening.
 * - `closed`: it is done, for good.
 */
export type State = 'idle' | 'opening' | 'open' | 'closing' | 'closed'

/** `listen` and `close` are asked for; the others come of it. */
export type Step = 'listen' | 'listening' | 'failed' | 'close' | 'ended'

/** Where each step leads. What is not here cannot be. */
export const steps: Readonly<Record<State, Partial<Record<Step, State>>>> = {
  idle: { listen: 'opening', close: 'closing' },
  opening: { listening: 'open', failed: 'idle', close: 'closing' },
  open: { close: 'closing' },
  closing: { listening: 'closing', failed: 'closing', close: 'closing', ended: 'closed' },
  closed: { close: 'closed' },
}

/** The state that a step leads to; throws where it cannot be. */
export function after(state: State, step: Step): State {
  const next = steps[state][step]
  if (next === undefined) throw stateError(`a router that is ${state} cannot ${step}`)
  return next
}

export function stateError(message: string): BreakwaterError {
  return new BreakwaterError('ERR_ROUTER_STATE', message)
}
