// A value as the command that stores it, or the reason why it is not stored.
import { TierError } from '../../../base/errors.ts'
import type { CacheKey } from '../../../base/types.ts'
import type { TierValue } from '../../contract.ts'
import { type Sealed, type Signature, seal } from '../../envelope.ts'
import type { CheckedRedisTier } from '../options.ts'
import { freshMs, wholeMs, wholeMsOrEndless } from '../wire.ts'
import { drawGeneration, type Epoch } from './epochs.ts'
import type { Keys } from './keys.ts'
import { readMoment } from './moment.ts'
import { call, type ScriptCommand, STORE } from './scripts.ts'

/** Makes the command, in an epoch: that of now where the script is to find it. */
export type Storing = (epoch: Epoch | undefined) => ScriptCommand

/**
 * What a value is stored by; an error if it is not, `undefined` if it need not be. A promise where other
 * threads compress it.
 */
export function storing(
  key: CacheKey,
  value: TierValue,
  signature: Signature,
  keys: Keys,
  options: CheckedRedisTier,
): Storing | TierError | undefined | Promise<Storing> {
  const { ttl, grace, packing, maxValueSize, rememberDeletions } = options
  const freshFor = Math.min(value.freshFor, ttl)
  const since = value.since === undefined ? undefined : readMoment(value.since)
  const isUnknown = value.since !== undefined && since === undefined
  // It would be gone at once, or nothing says that it is not outdated.
  if (!(freshFor + grace > 0) || isUnknown) return undefined
  const sealed = seal(value, packing, signature, maxValueSize)
  if (sealed instanceof TierError) return sealed
  const time = since === undefined ? '' : String(since.time)
  const life = wholeMsOrEndless(freshFor + grace)
  const more = [time, freshMs(freshFor), life, wholeMs(rememberDeletions)]
  const place = keys.value(key)
  const put =
    ({ head, middle, body }: Sealed): Storing =>
    now => {
      const args = [head, middle, body, ...more]
      const epoch = since ?? now
      if (epoch === undefined) {
        return call(STORE, [place, keys.epoch, keys.tags], [...args, drawGeneration(), ''])
      }
      return call(STORE, [place], [...args, String(epoch.generation), String(epoch.clock)])
    }
  return sealed instanceof Promise ? sealed.then(put) : put(sealed)
}
