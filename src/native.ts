// The native module, made ready for this isolate.
import binding from '#binding'
import { fail } from './errors.ts'
import { deliver } from './removals.ts'

/** Byte values leave through this area: the native side writes, `takeBytes` copies. */
const scratch = Buffer.from(binding.setup(fail, deliver))

/** A Buffer of its own with the `length` bytes that the native side left. */
export function takeBytes(length: number): Buffer {
  if (length <= scratch.length) {
    const bytes = Buffer.allocUnsafe(length)
    scratch.copy(bytes, 0, 0, length)
    return bytes
  }
  const bytes = Buffer.allocUnsafeSlow(length)
  binding.take(bytes)
  return bytes
}

export { binding }
