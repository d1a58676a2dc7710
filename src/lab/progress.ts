// How far work on a trace is, while it is done on other threads.
import { clearTimeout, setTimeout } from '../base/runtime.ts'
import { binding } from '../native/native.ts'

/** Hears how much is done: bytes, or requests. */
export type Told = (done: number) => void

const INTERVAL = 100

/** The work, of which `told` hears ten times a second. */
export async function watched<T>(trace: number, work: Promise<T>, told?: Told): Promise<T> {
  if (told === undefined) return work
  const tell = () => {
    told(binding.traceProgress(trace))
    return setTimeout(again, INTERVAL)
  }
  const again = () => {
    timer = tell()
  }
  let timer = setTimeout(again, INTERVAL)
  try {
    return await work
  } finally {
    clearTimeout(timer)
  }
}
