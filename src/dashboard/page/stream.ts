// The stream of samples: read as server-sent events by fetch, so that a token goes in a header, and
// opened again whenever it ends.

/** What a stream tells. */
export interface Heard {
  /** An event, with its data. */
  event(name: string, data: unknown): void
  /** It is open, or not any more; `refused` if the token is missing or wrong, and why. */
  state(state: 'open' | 'lost' | 'refused', why?: string): void
}

/** The first wait before it is opened again, and the longest, in milliseconds. */
const FIRST = 500
const LONGEST = 5000
/** A stream that is silent for so long is lost, in milliseconds. */
const SILENCE = 10_000

/** Opens a stream until the result is called. */
export function listen(path: string, token: () => string, heard: Heard): () => void {
  let ended = false
  let wait = FIRST
  let abort = new AbortController()
  const open = async () => {
    abort = new AbortController()
    let watch = 0
    const isAlive = () => {
      clearTimeout(watch)
      watch = setTimeout(() => abort.abort(), SILENCE)
    }
    try {
      isAlive()
      const headers = token() === '' ? {} : { authorization: `Bearer ${token()}` }
      const reply = await fetch(path, { headers, cache: 'no-store', signal: abort.signal })
      if (reply.status === 401 || reply.status === 403) {
        const { error } = (await reply.json()) as { error: { message: string } }
        return heard.state('refused', error.message)
      }
      if (!reply.ok || reply.body === null) throw new Error(`status ${reply.status}`)
      heard.state('open')
      wait = FIRST
      await read(reply.body, (name, data) => {
        isAlive()
        heard.event(name, data)
      })
    } catch {
      // It is opened again.
    } finally {
      clearTimeout(watch)
    }
    if (ended) return
    heard.state('lost')
    setTimeout(() => ended || open(), wait)
    wait = Math.min(wait * 1.5, LONGEST)
  }
  open()
  return () => {
    ended = true
    abort.abort()
  }
}

async function read(
  body: ReadableStream<Uint8Array>,
  event: (name: string, data: unknown) => void,
): Promise<void> {
  const reader = body
    .pipeThrough(new TextDecoderStream() as never)
    .getReader() as unknown as ReadableStreamDefaultReader<string>
  let text = ''
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return
    text += value
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      const [, name, data] = /^event: (\w+)\ndata: (.*)$/s.exec(text.slice(0, end)) ?? []
      text = text.slice(end + 2)
      if (name !== undefined && data !== undefined) event(name, JSON.parse(data))
    }
  }
}
