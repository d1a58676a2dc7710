// The native module, made ready for this facade: one load of this package's JavaScript. A thread has
// several where both ES modules and CommonJS files are loaded, or a test runner has a registry for each
// file. They share caches, and nothing that is told or thrown.

import native, { type Binding, type Native, type Stored } from '#binding'
import { inNeutralContext } from '../base/context.ts'
import { makeError } from '../base/native-errors.ts'
import { setImmediate } from '../base/runtime.ts'
import { type Flyers, fly } from './mail.ts'
import { deliver, type Receivers } from './removals.ts'

/** Bytes of the area that byte values leave through; the native side knows the number as well. */
const SCRATCH = 64 * 1024

/** Who hears of removals. */
const receivers: Receivers = new Map()
/** Who hears of flights. */
const flyers: Flyers = new Map()
// Not pooled: the native side writes to it. Behind the bytes lies their length.
const scratch = Buffer.allocUnsafeSlow(SCRATCH + Uint32Array.BYTES_PER_ELEMENT)

/** The native side's functions. It holds this object, and what leads from it, by a weak reference. */
const binding: Binding = native.setup({
  makeError,
  deliver: inNeutralContext(removals => deliver(receivers, removals)),
  later: inNeutralContext(() => void setImmediate(() => binding.nextTurn())),
  fly: inNeutralContext(news => fly(flyers, news)),
  scratch,
})

const lengthLeft = new Uint32Array(scratch.buffer, scratch.byteOffset + SCRATCH, 1)

/** A Buffer of its own with the bytes that the native side left. */
export function takeBytes(): Buffer {
  const length = lengthLeft[0] as number
  if (length <= SCRATCH) {
    const bytes = Buffer.allocUnsafe(length)
    scratch.copy(bytes, 0, 0, length)
    return bytes
  }
  const bytes = Buffer.allocUnsafeSlow(length)
  binding.take(bytes)
  return bytes
}

export { binding, flyers, type Native, receivers, type Stored }
