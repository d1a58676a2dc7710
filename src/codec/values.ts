// Values on their way between a user and the native side, by the codec.

import { DecodeError, InvalidValueError } from '../base/errors.ts'
import { takeBytes } from '../native/native.ts'
import { type Coding, givesBytes } from './codecs.ts'
import { deepFreeze } from './freeze.ts'
import { Slots } from './heap.ts'

/** The values of one instance. */
export class Values<V> {
  /** Whether values go in as they are. */
  readonly plainIn: boolean
  /** Whether values come out as they are. */
  readonly plainOut: boolean
  /** Whether a number that comes out is a length of bytes left behind. */
  readonly givesBytes: boolean
  /** The objects, if the codec is `heap`. */
  readonly slots: Slots | undefined
  readonly #name: string
  readonly #encode: ((value: never) => unknown) | undefined
  readonly #decode: ((stored: never) => unknown) | undefined
  readonly #freeze: boolean

  /** @param freeze - whether values that come out are frozen. */
  constructor(coding: Coding, freeze: boolean) {
    this.#name = coding.name
    this.#freeze = freeze
    if (coding.name === 'heap') {
      const slots = new Slots()
      this.slots = slots
      this.#encode = object => slots.put(object)
      this.#decode = slot => slots.at(slot)
    } else {
      this.slots = undefined
      this.#encode = coding.encode
      this.#decode = coding.decode
    }
    this.givesBytes = givesBytes(coding)
    this.plainIn = this.#encode === undefined
    this.plainOut = this.#decode === undefined && !this.givesBytes
  }

  /** What the native side stores of a value. */
  encode(value: V): unknown {
    if (this.#encode === undefined) return value
    try {
      return this.#encode(value as never)
    } catch (cause) {
      throw new InvalidValueError(this.#name, 'this value', { cause })
    }
  }

  /** The value again; bytes have been taken already. */
  decode(stored: unknown): V {
    if (this.#decode === undefined) return stored as V
    try {
      const value = this.#decode(stored as never) as V
      return this.#freeze ? deepFreeze(value) : value
    } catch (cause) {
      throw new DecodeError(this.#name, { cause })
    }
  }

  /** The value of what a `get` gave: bytes are still to be taken. */
  read(stored: unknown): V {
    const left = this.givesBytes && typeof stored === 'number'
    return this.decode(left ? takeBytes(stored) : stored)
  }
}
