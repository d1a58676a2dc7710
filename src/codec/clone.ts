// Structured clone, into bytes and back: V8's own, less what it would lose without a word.
import { DefaultDeserializer, deserialize, serialize } from 'node:v8'
import { InvalidValueError } from '../base/errors.ts'
import { explainLosses, refuseLosses } from './losses.ts'

/** Bytes of V8's serializer begin with this one. */
export const CLONE = 0xff

/** Bun's bytes begin otherwise, and it has no class that reads them. */
const BUN = 'bun' in process.versions

/** The value as V8 writes it. */
export function toClone(codec: string, value: unknown): Buffer {
  if (value === undefined) throw new InvalidValueError(codec, 'undefined')
  refuseLosses(codec, value)
  try {
    return BUN ? Buffer.concat([Buffer.of(CLONE), serialize(value)]) : serialize(value)
  } catch (cause) {
    explainLosses(codec, value)
    throw cause
  }
}

/** The value again. */
export function fromClone(bytes: Uint8Array): unknown {
  if (BUN) return deserialize(bytes.subarray(1))
  const reader = new Reader(bytes)
  reader.readHeader()
  return reader.readValue()
}

/** What the types of Node.js leave out of `DefaultDeserializer`. */
declare module 'node:v8' {
  interface Deserializer {
    _readHostObject(): NodeJS.ArrayBufferView
  }
}

/** Reads typed arrays into memory of their own: Node.js makes them views of the bytes it reads. */
class Reader extends DefaultDeserializer {
  override _readHostObject(): NodeJS.ArrayBufferView {
    const view = super._readHostObject()
    if (Buffer.isBuffer(view)) return Buffer.from(view)
    const { buffer, byteOffset, byteLength } = view
    if (view instanceof DataView) {
      return new DataView(buffer.slice(byteOffset, byteOffset + byteLength))
    }
    return (view as Uint8Array).slice()
  }
}
