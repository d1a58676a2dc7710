// What clients of a node read, as a trace, while somebody takes it.
import { pause } from '../base/pause.ts'
import { timersOf } from '../base/timers.ts'
import type { NativeRouter } from '../native/router.ts'

/** How often what was read is taken, in milliseconds: a thread holds 65,536 reads until then. */
const EVERY = 50
/** After so many times without a row, a line says that the recording goes on. */
const SILENT = 200

/** What records, while somebody takes what it has. */
export interface Tape {
  /** Begins; `false` if somebody records already. */
  begin(): boolean
  /** Done when everything is recorded that is read from now on. */
  begun(): Promise<void>
  /** The rows since this was asked last, in the order of their time, and how many were lost. */
  take(): [rows: string, lost: number] | Promise<[rows: string, lost: number]>
  end(): void
}

/** A secret that is drawn for each recording. */
export const newSecret = (): Uint8Array => crypto.getRandomValues(new Uint8Array(16))

/** What the threads of this process record. */
export function nativeTape(native: NativeRouter): Tape {
  return {
    begin: () => native.record(newSecret(), 0),
    begun: () => Promise.resolve(),
    take: () => native.recorded(),
    end: () => native.endRecording(),
  }
}

/**
 * The lines of a recording that has begun, some at a time, until the signal aborts, the router closes or
 * nobody takes them. The first one names the columns: what is read from then on is recorded. A line that begins with `#` is no row: `# lost 3` says how many rows there was no
 * room for.
 */
export function recordingOf(
  tape: Tape,
  isOpen: () => boolean,
  signal: AbortSignal,
): AsyncIterable<string> {
  let ended = false
  // Whoever never takes a line ends it by the signal.
  const end = () => {
    if (!ended && isOpen()) tape.end()
    ended = true
    signal.removeEventListener('abort', end)
  }
  signal.addEventListener('abort', end)
  if (signal.aborted) end()
  return lines(tape, () => !ended && isOpen(), signal, end)
}

async function* lines(
  tape: Tape,
  goesOn: () => boolean,
  signal: AbortSignal,
  end: () => void,
): AsyncGenerator<string> {
  try {
    await tape.begun()
    yield 'time,key,size\n'
    for (let silent = 0; goesOn(); silent++) {
      const [rows, lost] = await tape.take()
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
