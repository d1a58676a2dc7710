// Listens to a server, and writes its reads to a trace until the recording is over.
import { connect, isIP, type Socket } from 'node:net'
import type { Writable } from 'node:stream'
import { connect as connectTls } from 'node:tls'
import { TraceError } from '../base/errors.ts'
import type { NativeServer } from '../native/router.ts'
import { Recorder } from './recorder.ts'

/** What is to be recorded. */
export interface Recording {
  readonly server: NativeServer
  /** The authorities of a server that is met by TLS, as PEM; the system's, if left out. */
  readonly ca?: Buffer | undefined
  /** Whether the server is asked what values take. */
  readonly withSizes: boolean
  /** It is over after so many requests. */
  readonly limit: number
  /** It is over when this is aborted. */
  readonly signal: AbortSignal
}

/**
 * Records, and leaves `out` open. How many requests were written.
 * @throws TraceError `ERR_TRACE`: the server is not reached, refuses, or goes away.
 */
export async function recorded(recording: Recording, out: Writable): Promise<number> {
  const recorder = new Recorder(recording.withSizes)
  const sockets: Socket[] = []
  out.write(recorder.header)
  try {
    await new Promise<void>((resolve, reject) => {
      const open = (take: (bytes: Buffer) => void) => {
        const socket = opened(recording)
        sockets.push(socket)
        socket.on('error', error => reject(lost(error)))
        socket.on('close', () => reject(lost()))
        socket.on('data', bytes => {
          try {
            take(bytes)
            write(recorder, recording.limit, out, sockets)
            if (recorder.rows >= recording.limit) resolve()
          } catch (error) {
            reject(error)
          }
        })
        return socket
      }
      const other = recording.withSizes ? open(bytes => recorder.answered(bytes)) : undefined
      const monitor = open(bytes => {
        const asks = recorder.monitored(bytes)
        if (asks.length > 0) other?.write(asks)
      })
      monitor.write(request('MONITOR'))
      recording.signal.addEventListener('abort', () => resolve())
      if (recording.signal.aborted) resolve()
    })
    return recorder.rows
  } finally {
    for (const socket of sockets) socket.destroy()
    recorder.close()
  }
}

/** Writes the rows that are complete. The server waits while they are not taken. */
function write(recorder: Recorder, limit: number, out: Writable, sockets: Socket[]): void {
  if (out.write(recorder.take(limit))) return
  for (const socket of sockets) socket.pause()
  out.once('drain', () => {
    for (const socket of sockets) socket.resume()
  })
}

/** A connection that says who it is. */
function opened({ server, ca }: Recording): Socket {
  const { kind, host, port, user, password } = server
  const tls = { host, port, ...(ca && { ca }), ...(isIP(host) === 0 && { servername: host }) }
  const socket =
    kind === 'unix' ? connect(host) : kind === 'tls' ? connectTls(tls) : connect(port, host)
  if (password !== undefined) {
    socket.write(user === undefined ? request('AUTH', password) : request('AUTH', user, password))
  }
  return socket
}

/** A request as servers read it. */
function request(...words: string[]): string {
  const parts = words.map(word => `$${Buffer.byteLength(word)}\r\n${word}\r\n`)
  return `*${words.length}\r\n${parts.join('')}`
}

function lost(error?: NodeJS.ErrnoException): TraceError {
  if (error === undefined) return new TraceError('the server ended the connection')
  return new TraceError(`the server is not reached: ${error.message || error.code}`)
}
