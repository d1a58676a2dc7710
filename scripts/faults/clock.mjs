// The wall clock of a node, set from outside by libfaketime: no other program hears of it, and the clock that
// only goes forward stays as it is.
import { existsSync, writeFileSync } from 'node:fs'
import { arch } from 'node:process'

const DEBIAN = { x64: 'x86_64', arm64: 'aarch64' }
const LIBRARY = `/usr/lib/${DEBIAN[arch]}-linux-gnu/faketime/libfaketimeMT.so.1`

/** How often a process looks how late it is to be, in milliseconds. */
const LOOK = 1000

/** Whether it is installed (Debian's package `libfaketime`). */
export const canSetClocks = existsSync(LIBRARY)

/** The environment of a process whose clock a file sets. */
export function clockOf(file) {
  if (!canSetClocks) return {}
  writeFileSync(file, '+0')
  return {
    LD_PRELOAD: LIBRARY,
    FAKETIME_TIMESTAMP_FILE: file,
    FAKETIME_CACHE_DURATION: `${LOOK / 1000}`,
    DONT_FAKE_MONOTONIC: '1',
  }
}

/** Sets it so many seconds ahead, or back; how long to wait until processes have seen it. */
export function setClock(file, seconds) {
  writeFileSync(file, `${seconds < 0 ? '' : '+'}${seconds}`)
  return 2 * LOOK
}
