// The cache as its second tier sees it, and the check that it can have one.
import { InvalidOptionError, OptionCombinationError } from '../base/errors.ts'
import type { CacheKey } from '../base/types.ts'
import type { Events } from '../events/events.ts'
import { tierCalls } from '../events/tracing.ts'
import type { LoadingHost } from '../loading/host.ts'
import { binding } from '../native/native.ts'
import { Second, type SecondOptions } from '../tier/second.ts'
import { SharedKin } from './kin.ts'

/** Opens the second tier of a cache, if it is to have one. */
export function openSecond<K extends CacheKey, V>(
  options: SecondOptions,
  host: () => LoadingHost<K, V>,
  clear: () => void,
): Second | undefined {
  const { tier } = options
  if (tier === undefined) return undefined
  const { at, name, timers, values, events, isClosed } = host()
  if (values.slots !== undefined) {
    throw new OptionCombinationError('tier', tier, "codec 'heap'", 'its values cannot be stored')
  }
  if (name === undefined) {
    throw new InvalidOptionError('name', name, 'given: the values of a tier are known by it')
  }
  const unlessClosed =
    <A extends unknown[]>(act: (...args: A) => void) =>
    (...args: A) => {
      if (!isClosed()) act(...args)
    }
  return new Second(tier, options, {
    name,
    timers,
    kin: new SharedKin(name),
    forget: unlessClosed(keys => void binding.deleteMany(at, keys)),
    forgetTag: unlessClosed((tag, soft) => binding.invalidateTag(at, tag, soft ? 1 : 0)),
    clear: unlessClosed(clear),
    tell: teller(events),
    called: () => (events.tierCall.isHeard ? call => events.tierCall.emit(call) : undefined),
    traced: (operation, ask) =>
      tierCalls.isHeard ? tierCalls.run({ cache: name, operation }, ask, () => undefined) : ask(),
    breaker: state => {
      if (events.breaker.isHeard) events.breaker.emit({ of: 'tier', state })
    },
  })
}

function teller<K>(events: Events<K>) {
  return (state: 'failed' | 'lost' | 'regained', operation?: string, error?: unknown) => {
    if (events.tier.isHeard) events.tier.emit({ state, operation, error })
  }
}
