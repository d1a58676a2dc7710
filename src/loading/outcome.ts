// What a flight came to, as the native side tells it to another isolate.
import { CacheClosedError } from '../base/errors.ts'
import { fromText } from '../base/failure.ts'
import type { Values } from '../codec/values.ts'
import { FAILED, VALUE } from '../native/mail.ts'
import { State } from '../native/port.ts'
import type { Outcome } from './flight.ts'

/** What a flight of another isolate came to. */
export function outcomeOf<V>(values: Values<V>, kind: number, value: unknown): Outcome<V> {
  try {
    if (kind === VALUE) return { value: values.decode(value) }
    if (kind === State.UNDEFINED) return { value: undefined }
    if (kind === State.NULL) return { value: null as V }
    const failed = kind === FAILED || kind === State.ERROR
    return { error: failed ? fromText(value as string) : new CacheClosedError() }
  } catch (error) {
    return { error }
  }
}
