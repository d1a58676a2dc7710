// XXH64 of texts, with seed 0, over their UTF-8 bytes: in WebAssembly, which multiplies numbers of
// 64 bits. In JavaScript a hash takes ten times as long.
import { HASH_MODULE } from './hash-module.ts'

/** What is used of WebAssembly, whose types only the DOM library has. */
interface WebAssembly {
  readonly Module: new (bytes: Uint8Array) => object
  readonly Instance: new (module: object) => { readonly exports: unknown }
}

interface Hasher {
  readonly memory: { readonly buffer: ArrayBuffer; grow(pages: number): number }
  /** Hashes as many bytes of the text. */
  hash(length: number): void
}

const { Module, Instance } = (globalThis as unknown as { WebAssembly: WebAssembly }).WebAssembly
const code = Uint8Array.from(atob(HASH_MODULE), character => character.charCodeAt(0))
const wasm = new Instance(new Module(code)).exports as Hasher

/** Where the text lies: the hash lies before it. */
const TEXT = 8
const PAGE = 65_536

let text = new Uint8Array(wasm.memory.buffer, TEXT)
let halves = new Int32Array(wasm.memory.buffer, 0, 2)
const encoder = new TextEncoder()

/** Hashes a text; {@link hashHigh} and {@link hashLow} have the hash. */
export function hash(key: string): void {
  wasm.hash(write(key))
}

/** The upper 32 bits of the last hash, unsigned. */
export const hashHigh = (): number => (halves[1] as number) >>> 0

/** The lower 32 bits of the last hash, unsigned. */
export const hashLow = (): number => (halves[0] as number) >>> 0

/**
 * Up to here a loop writes a text faster than the encoder, which takes a while to begin. V8 keeps a
 * longer text that was joined of others as a tree, and takes four times as long for each character.
 */
const SHORT = 12

/** Writes a text to where it is hashed; how many bytes it is. */
function write(key: string): number {
  const { length } = key
  if (length * 3 > text.length) grow(length * 3)
  const to = text
  if (length > SHORT) return encoder.encodeInto(key, to).written
  for (let i = 0; i < length; i++) {
    const code = key.charCodeAt(i)
    if (code > 0x7f) return encoder.encodeInto(key, to).written
    to[i] = code
  }
  return length
}

function grow(length: number): void {
  wasm.memory.grow(Math.ceil((length - text.length) / PAGE))
  text = new Uint8Array(wasm.memory.buffer, TEXT)
  halves = new Int32Array(wasm.memory.buffer, 0, 2)
}
