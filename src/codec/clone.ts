// Structured clone, into bytes and back: V8's own, less what it would lose without a word.
import { builtin } from '../base/builtin.ts'
import { InvalidValueError } from '../base/errors.ts'
import { explainLosses, refuseLosses } from './losses.ts'

/** Bytes of V8's serializer begin with this one. */
export const CLONE = 0xff

/** Bun's bytes begin otherwise, and it has no class that reads them. */
const BUN = 'bun' in process.versions

/** V8's serializer, since the first value that needs it: a process without any starts faster. */
let loaded: ReturnType<typeof load> | undefined

/** The value as V8 writes it. */
export function toClone(codec: string, value: unknown): Buffer {
  if (value === undefined) throw new InvalidValueError(codec, 'undefined')
  refuseLosses(codec, value)
  loaded ??= load()
  const { serialize } = loaded
  try {
    return BUN ? Buffer.concat([Buffer.of(CLONE), serialize(value)]) : serialize(value)
  } catch (cause) {
    explainLosses(codec, value)
    throw cause
  }
}

/** The value again. */
export function fromClone(bytes: Uint8Array): unknown {
  loaded ??= load()
  if (BUN) return loaded.deserialize(bytes.subarray(1))
  const reader = new loaded.CloneReader(bytes)
  reader.readHeader()
  return reader.readValue()
}

/** What the types of Node.js leave out of `DefaultDeserializer`. */
declare module 'node:v8' {
  interface Deserializer {
    _readHostObject(): NodeJS.ArrayBufferView
  }
}

function load() {
  const { DefaultDeserializer, deserialize, serialize } = builtin('node:v8')

  /** Reads typed arrays into memory of their own: Node.js makes them views of the bytes it reads. */
  class CloneReader extends DefaultDeserializer {
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

  return { CloneReader, deserialize, serialize }
}
