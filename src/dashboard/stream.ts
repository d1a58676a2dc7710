// A stream of server-sent events: what is sent waits until the viewer has taken what came before.

/** The most events that wait for a viewer; what comes beyond them is for the sender to keep or drop. */
const MOST = 2

/** What a sender puts in. */
export interface Sending {
  send(event: string, data: unknown): void
  /** Whether the viewer has not taken what came before. */
  readonly isBehind: boolean
}

/**
 * Events as the chunks of a reply, until the viewer goes.
 *
 * @param start - begins to send; what it gives is called in the end.
 */
export async function* stream(
  signal: AbortSignal,
  start: (to: Sending) => () => void,
): AsyncGenerator<string, void> {
  const waiting: string[] = []
  let wake = () => {}
  const stop = start({
    send(event, data) {
      waiting.push(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`)
      wake()
    },
    get isBehind() {
      return waiting.length >= MOST
    },
  })
  const end = () => wake()
  signal.addEventListener('abort', end)
  try {
    while (!signal.aborted) {
      const chunk = waiting.shift()
      if (chunk !== undefined) yield chunk
      else {
        await new Promise<void>(resolve => {
          wake = resolve
        })
      }
    }
  } finally {
    signal.removeEventListener('abort', end)
    stop()
  }
}
