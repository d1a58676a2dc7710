// Values on their way between a user and the native side, by the codec.

import { DecodeError, InvalidValueError } from '../base/errors.ts'
import { type Stored, takeBytes } from '../native/native.ts'
import { type Coding, passesText, takes } from './codecs.ts'
import { deepFreeze } from './freeze.ts'
import { HeapObjects } from './heap.ts'

/** The values of one instance. */
export class Values<V> {
  /** Whether text and numbers go in as they are. */
  readonly textIn: boolean
  /** Whether all values do. */
  readonly allIn: boolean
  /** Whether what does not come out as bytes comes out as it is. */
  readonly textOut: boolean
  /** The objects, if the codec is `heap`. */
  readonly slots: HeapObjects | undefined
  readonly #coding: Coding
  readonly #name: string
  readonly #encode: ((value: never) => unknown) | undefined
  readonly #decode: ((stored: never) => unknown) | undefined
  readonly #freeze: boolean

  /** @param freeze - whether values that come out are frozen. */
  constructor(coding: Coding, freeze: boolean) {
    this.#coding = coding
    this.#name = coding.name
    this.#freeze = freeze
    if (coding.name === 'heap') {
      const slots = new HeapObjects()
      this.slots = slots
      this.#encode = object => slots.put(object)
      this.#decode = slot => slots.at(slot)
    } else {
      this.slots = undefined
      this.#encode = coding.encode
      this.#decode = coding.decode
    }
    this.allIn = this.#encode === undefined
    this.textIn = this.allIn || passesText(coding)
    this.textOut = this.#decode === undefined || passesText(coding)
  }

  /** What the native side stores of a value, and a second tier: text, a number or bytes. */
  encode(value: V): unknown {
    if (this.#encode === undefined) return value
    try {
      return this.#encode(value as never)
    } catch (cause) {
      if (cause instanceof InvalidValueError) throw cause
      throw new InvalidValueError(this.#name, 'this value', { cause })
    }
  }

  /**
   * As `encode`, before it is stored: refuses what the native side would. Objects of the codec `heap`
   * are encoded when they are stored, and give `undefined`.
   */
  encodeAhead(value: V): unknown {
    if (this.slots !== undefined) return undefined
    const encoded = this.encode(value)
    if (takes(this.#coding, encoded)) return encoded
    const type = typeof encoded
    const got = encoded === undefined || encoded === null ? `${encoded}` : type
    throw new InvalidValueError(this.#name, got === 'object' ? 'an object' : `a ${got}`)
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
  read(stored: Stored): V {
    return this.decode(stored === true ? takeBytes() : stored)
  }
}
