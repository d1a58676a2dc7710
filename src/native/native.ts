// The native module, made ready for this isolate.

import binding, { type Native, type Stored } from '#binding'
import { inNeutralContext } from '../base/context.ts'
import { fail } from '../base/errors.ts'
import { setImmediate } from '../base/runtime.ts'
import { fly } from './mail.ts'
import { deliver } from './removals.ts'

/** Bytes of the area that byte values leave through; the native side knows the number as well. */
const SCRATCH = 64 * 1024

/**
 * What all copies of this package in one isolate share, as when both its ES modules and its
 * CommonJS files are loaded: the first one brings it.
 */
const { scratch, receivers, flyers } = binding.setup({
  fail,
  deliver: inNeutralContext(removals => deliver(receivers, removals)),
  later: inNeutralContext(() => void setImmediate(() => binding.nextTurn())),
  // Not pooled: the native side writes to it. Behind the bytes lies their length.
  scratch: Buffer.allocUnsafeSlow(SCRATCH + Uint32Array.BYTES_PER_ELEMENT),
  fly: inNeutralContext(news => fly(flyers, news)),
  receivers: new Map(),
  flyers: new Map(),
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
