// Sockets of one thread: bytes from each to the native core, replies back. Commands of a client that
// does not read its replies wait in the core, up to a bound; it is read from all the same, since a
// client that writes a whole pipeline before it reads must not be waited for.

import type { Server, Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { BroadcastChannel } from 'node:worker_threads'
import { neutrally } from '../base/context.ts'
import type { HookError } from '../base/errors.ts'
import { clearTimeout, setImmediate, setTimeout } from '../base/runtime.ts'
import { type NativeRouter, Next } from '../native/router.ts'
import { type Drain, inSlices } from './drain.ts'
import { type Answer, nativeHooks } from './hooks/calls.ts'
import type { CheckedHooks } from './hooks/define.ts'
import { Reading } from './reading.ts'

/** Replies up to this length, in bytes, leave through one area that is used again and again. */
const AREA = 64 * 1024
/** How long a connection that we end may take to accept its last replies, in milliseconds. */
const LINGER = 1000
/** How long a client that we part with says nothing, at least, if it makes a pause, in milliseconds. */
const PAUSE = 5
/** How long it is waited for to make one. */
const PATIENCE = 100
/** A client that has more bytes than this waiting when there are news takes none, and is disconnected. */
const MOST_NEWS = 32 * 1024 * 1024
const NOTHING = Buffer.alloc(0)

/** Serves the connections that it is given, with one session of the router for each. */
export class Driver {
  readonly #router: NativeRouter
  readonly #connections = new Map<number, ClientSocket>()
  readonly #failed: (error: HookError) => void
  readonly #channel: BroadcastChannel
  #area = Buffer.allocUnsafeSlow(AREA)
  #emptied: (() => void) | undefined
  /** For the rest of a turn of the event loop nobody is let in: there is no descriptor for anybody. */
  #short = false

  /** @param failed - hears of hooks that fail. */
  constructor(router: NativeRouter, failed: (error: HookError) => void) {
    this.#router = router
    this.#failed = failed
    // CLIENT KILL may name a client of any thread.
    this.#channel = new BroadcastChannel(channelOf(router.id))
    this.#channel.onmessage = event => this.#end((event as { data: number[] }).data)
    this.#channel.unref()
    router.hear(() => this.#tell())
  }

  /** Serves a connection until either side ends it; `path` is that of a socket of this machine. */
  accept(socket: Socket | TLSSocket, path?: string): void {
    if (this.turnAway(socket)) return
    const { remoteAddress = path, remotePort, localAddress = path, localPort } = socket
    const local = endpoint(localAddress, localPort)
    const remote = endpoint(remoteAddress, remotePort)
    const session = this.#router.connect(remote, local, certificateOf(socket))
    if (typeof session !== 'number') {
      socket.on('error', () => socket.destroy())
      socket.end(session)
      lingering(socket, LINGER)
      return
    }
    const id = this.#router.clientId(session)
    const reading = new Reading(
      socket,
      () => this.#router.slowReader(),
      () => {
        this.#router.cutSlow(session)
        socket.destroy()
      },
    )
    const connection = new ClientSocket(socket, session, reading, chunk =>
      this.#feed(session, connection, chunk),
    )
    this.#connections.set(id, connection)
    socket.once('close', () => {
      this.#connections.delete(id)
      this.#router.disconnect(session)
      if (this.#connections.size === 0) this.#emptied?.()
    })
  }

  /**
   * Hangs up on a client if its descriptor is one of those that are kept for what is no client, and says
   * why if `told`; whether it did.
   */
  turnAway(socket: Socket, told = true): boolean {
    const { _handle } = socket as { _handle?: { fd?: number } | null }
    const { fd = -1 } = _handle ?? {}
    // Not every runtime tells it.
    if (fd < 0) return false
    const words = this.#router.turnAway(this.#short ? Number.MAX_SAFE_INTEGER : fd)
    if (words === undefined) return false
    socket.on('error', () => {})
    if (told) socket.write(words)
    // At once: the next one has this descriptor.
    socket.destroy()
    return true
  }

  /**
   * The system has no descriptor for a client that waits, not even to hang up on it: the one that came last
   * gives up its own, by which all that wait are turned away. Throws `error` if there is no client.
   */
  makeRoom(error: Error): void {
    const last = [...this.#connections.values()].at(-1)
    if (last === undefined) throw error
    this.#router.cutForRoom(last.session)
    last.socket.destroy()
    if (this.#short) return
    this.#short = true
    setImmediate(() => {
      this.#short = false
    })
  }

  /** Has these hooks asked from now on; none, without. */
  setHooks(hooks: CheckedHooks | undefined): void {
    const answer: Answer = (client, question, said) => {
      const connection = this.#connections.get(client)
      if (connection === undefined) return
      if (this.#router.answer(connection.session, question, said)) connection.answered()
    }
    const { id } = this.#router
    neutrally(() => this.#router.setHooks(nativeHooks(id, hooks, answer, this.#failed)))
  }

  /** Answers what has been received, then ends all connections; done when the last is closed. */
  async drain(servers: readonly Server[], { over, within }: Drain): Promise<void> {
    for (const server of servers) server.close()
    // One turn of the event loop reads what the kernel holds, the next one answers it.
    await turn()
    await turn()
    const emptied = new Promise<void>(resolve => {
      this.#emptied = resolve
    })
    const waiting = [...this.#connections.values()]
    await inSlices(
      over,
      () => waiting.length,
      most => {
        for (const connection of waiting.splice(0, most)) connection.part(within / 2)
      },
    )
    const cut = () => {
      for (const { socket } of this.#connections.values()) socket.destroy()
    }
    const timer = setTimeout(cut, within)
    if (this.#connections.size > 0) await emptied
    clearTimeout(timer)
    this.#channel.close()
    this.#router.close()
  }

  /** Feeds a chunk and writes the replies; what comes next. */
  #feed(session: number, connection: ClientSocket, chunk: Uint8Array): number {
    const result = connection.isHeld
      ? this.#router.hold(session, chunk, this.#area)
      : this.#router.feed(session, chunk, this.#area)
    // Lengths may exceed 32 bits: no bit operations.
    const flags = result % 8
    const length = (result - flags) / 8
    if (length > AREA) {
      const replies = Buffer.allocUnsafeSlow(length)
      this.#router.take(replies)
      connection.write(replies)
    } else if (length > 0 && !connection.write(this.#area.subarray(0, length))) {
      // The kernel did not take it all: the area belongs to the socket now.
      this.#area = Buffer.allocUnsafeSlow(AREA)
    }
    if (flags >= 4) {
      const ids = this.#router.kills()
      this.#end(ids)
      this.#channel.postMessage(ids)
    }
    return flags % 4
  }

  /** Tells clients what they did not ask for: changes of keys, and messages. */
  #tell(): void {
    const news = this.#router.news()
    for (let i = 0; i < news.length; i += 2) {
      const connection = this.#connections.get(news[i] as number)
      const bytes = news[i + 1] as Buffer | undefined
      if (connection === undefined) continue
      const misses = connection.waiting > MOST_NEWS
      if (misses) this.#router.cutMissing(connection.session)
      if (misses || bytes === undefined) connection.socket.destroy()
      else if (bytes.length > 0) connection.write(bytes)
    }
  }

  #end(ids: number[]): void {
    for (const id of ids) this.#connections.get(id)?.socket.destroy()
  }
}

/** Ends clients of a router, whichever thread has them. */
export function disconnect(router: number, clients: number[]): void {
  if (clients.length === 0) return
  const channel = new BroadcastChannel(channelOf(router))
  channel.postMessage(clients)
  channel.close()
}

function channelOf(router: number): string {
  return `breakwater:router:${router}`
}

/** One client's socket, and whether we listen to it. */
class ClientSocket {
  readonly socket: Socket
  /** Its session. */
  readonly session: number
  readonly #reading: Reading
  readonly #feed: (chunk: Uint8Array) => number
  /** Commands wait in the core until the client has taken its replies. */
  #waiting = false
  /** They wait for the answer of a hook. */
  #asking = false
  #finishing = false
  /** It has spoken since it was looked at last. */
  #spoke = false
  #linger = LINGER
  #ended = false

  constructor(
    socket: Socket,
    session: number,
    reading: Reading,
    feed: (chunk: Uint8Array) => number,
  ) {
    this.socket = socket
    this.session = session
    this.#reading = reading
    this.#feed = feed
    socket.on('data', chunk => this.#receive(chunk as Buffer))
    socket.on('drain', () => this.#resume())
    socket.on('error', () => socket.destroy())
    // It may still read what it asked for, in its own time.
    socket.on('end', () => this.finish(Number.POSITIVE_INFINITY))
  }

  /** Whether no other command may run yet. */
  get isHeld(): boolean {
    return this.isFull || this.#asking
  }

  /** The hook has answered that its commands wait for. */
  answered(): void {
    this.#asking = false
    this.#waiting = true
    this.#resume()
  }

  /** Whether it has replies to take before another command runs. */
  get isFull(): boolean {
    return this.socket.writableNeedDrain
  }

  /** Bytes that it has not taken. */
  get waiting(): number {
    return this.socket.writableLength
  }

  /** Writes replies; whether the kernel took them all at once. */
  write(replies: Buffer): boolean {
    if (this.socket.destroyed) return true
    this.socket.write(replies)
    const all = this.socket.writableLength === 0
    this.#reading.gave(replies.length, all)
    return all
  }

  /** Ends the connection in a pause of its client, which is waited for so long at the most. */
  part(within: number): void {
    const patience = Math.min(within, PATIENCE)
    if (patience >= PAUSE && this.#spoke) {
      this.#spoke = false
      setTimeout(() => this.part(patience - PAUSE), PAUSE)
    } else this.finish()
  }

  /**
   * Ends the connection once everything received is answered.
   *
   * @param linger - how long the client may take to accept that, in milliseconds.
   */
  finish(linger = LINGER): void {
    this.#finishing = true
    this.#linger = linger
    if (!this.#waiting && !this.#asking) this.#end()
  }

  #receive(chunk: Uint8Array): void {
    if (this.#ended) return
    this.#spoke = true
    let next: number
    try {
      next = this.#feed(chunk)
    } catch {
      // A bug in the core costs this client its connection and nobody else anything.
      this.socket.destroy()
      return
    }
    this.#asking ||= next === Next.await
    this.#waiting = next === Next.resume && !this.#asking
    if (next === Next.close) {
      this.#end()
    } else if (this.#waiting && !this.isFull) {
      // Others get their turn between two batches of commands.
      setImmediate(() => this.#resume())
    }
  }

  #resume(): void {
    if (!this.#waiting || this.isFull || this.socket.destroyed) return
    this.#waiting = false
    this.#receive(NOTHING)
    if (this.#finishing && !this.#waiting && !this.#asking) this.#end()
  }

  /**
   * Ends the connection after its last reply. What the client still sends is read and dropped: a
   * socket closed over unread bytes is reset, and the client would lose that reply.
   */
  #end(): void {
    if (this.#ended) return
    this.#ended = true
    this.socket.end()
    lingering(this.socket, this.#linger)
  }
}

/** Reads what still comes for nobody, and closes the connection after a time, in milliseconds. */
function lingering(socket: Socket, time: number): void {
  socket.resume()
  if (time === Number.POSITIVE_INFINITY) return
  const timer = setTimeout(() => socket.destroy(), time)
  socket.once('close', () => clearTimeout(timer))
}

/** An address and a port as Redis writes them. */
function endpoint(address = '', port = 0): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`
}

/** What a client has shown by TLS, as DER. */
function certificateOf(socket: Socket | TLSSocket): Uint8Array | undefined {
  return 'getPeerCertificate' in socket ? socket.getPeerCertificate()?.raw : undefined
}

function turn(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve))
}
