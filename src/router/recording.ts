// What clients of a node read, as a trace, while somebody takes it.
import { pause } from '../base/pause.ts'
import { timersOf } from '../base/timers.ts'
import type { NativeRouter } from '../native/router.ts'

/** How often what was read is taken, in milliseconds: a thread holds 65,536 reads until then. */
const EVERY = 50
/** After so many times without a row, a line says that the recording goes on. */
const SILENT = 200

/**
 * The lines of a recording that has begun, some at a time, until the signal aborts, the router closes or
 * nobody takes them. A line that begins with `#` is no row: `# lost 3` says how many rows there was no
 * room for.
 */
export function recordingOf(
  native: NativeRouter,
  isOpen: () => boolean,
  signal: AbortSignal,
): AsyncIterable<string> {
  let ended = false
  // Whoever never takes a line ends it by the signal.
  const end = () => {
    if (!ended && isOpen()) native.endRecording()
    ended = true
    signal.removeEventListener('abort', end)
  }
  signal.addEventListener('abort', end)
  if (signal.aborted) end()
  return lines(native, () => !ended && isOpen(), signal, end)
}

async function* lines(
  native: NativeRouter,
  goesOn: () => boolean,
  signal: AbortSignal,
  end: () => void,
): AsyncGenerator<string> {
  try {
    yield 'time,key,size\n'
    for (let silent = 0; goesOn(); silent++) {
      const [rows, lost] = native.recorded()
      const text = lost === 0 ? rows : `${rows}# lost ${lost}\n`
      if (text === '' && silent < SILENT) {
        await pause(timersOf(undefined), EVERY, signal)
      } else {
        silent = 0
        yield text || '#\n'
      }
    }
  } finally {
    end()
  }
}
