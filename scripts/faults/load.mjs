// Steady requests by many clients, each of which knows what every reply has to be.
//
// - `d:N` has a value that follows from N. Whoever finds nothing writes it.
// - `w:C:N` is written by client C alone, with versions that grow. C reads no older version than the
//   last that was acknowledged, and no newer than the last that it sent. A write that failed may be done
//   still, at any time: what it wrote may be read.
import { createConnection } from 'node:net'
import { connect as connectTls } from 'node:tls'

/** Keys that all read, and keys of each client. */
const SHARED = 2000
const OWN = 4
/** The most requests of a client that wait for replies. */
const PIPELINE = 16
const TICK = 10
/** The most that is told of each kind of fault. */
const MOST = 20
/** What a client hears for whom there is no room, asked or not, before the node hangs up on it. */
const REFUSAL = 'ERR max number of clients reached'
/** A value that follows from its key; one in a hundred is large. */
export const derived = n => `value ${n} `.repeat(n % 100 === 0 ? 2000 : 1 + (n % 7))

export class Load {
  #deadline
  #clients
  #timers = []
  #turn = 0
  #owed = 0
  #lastTick = performance.now()
  /** How late this program itself was of late, in milliseconds: clients are not blamed for it. */
  #late = 0
  counts = { sent: 0, good: 0, errors: 0, refused: 0, closed: 0, hung: 0, wrong: 0, longest: 0 }
  /** What was wrong, and who hung: the first few of each. */
  #wrongs = []
  #hangs = []
  /** Words of errors, and how often. */
  errors = new Map()
  /** Connections that were closed by the node: see `judge`. */
  partings = []

  constructor(field, { clients, rate, deadline }) {
    this.#deadline = deadline
    // One in ten comes by TLS, one in ten by a token.
    const ways = ['tls', 'token', ...Array(8).fill('plain')]
    this.#clients = Array.from({ length: clients }, (_, at) => {
      return new Client(this, field, at, ways[at % ways.length])
    })
    this.#timers.push(setInterval(() => this.#tick(rate), TICK))
    this.#timers.push(setInterval(() => this.#look(), 100))
  }

  /** How many errors there have been, refused and closed connections among them. */
  get disturbed() {
    return this.counts.errors + this.counts.refused + this.counts.closed
  }

  /** The same, by what it was. */
  get disturbances() {
    const { closed, refused } = this.counts
    return new Map([...this.errors, ['a connection closed', closed], ['no room', refused]])
  }

  /** What clients found wrong: it must be nothing. */
  wrong(what) {
    this.counts.wrong++
    if (this.#wrongs.length < MOST) this.#wrongs.push(what)
  }

  /** Whoever waits for too long: it must be nobody. */
  hung(what) {
    this.counts.hung++
    if (this.#hangs.length < MOST) this.#hangs.push(what)
  }

  get faults() {
    return [...this.#wrongs, ...this.#hangs]
  }

  /** Some clients go, and others come in their place. */
  churn(count) {
    for (let i = 0; i < count; i++) this.#clients[this.#turn++ % this.#clients.length].leave()
  }

  /** Done when every request has its reply. */
  async stop() {
    clearInterval(this.#timers.shift())
    while (this.#clients.some(client => client.waits > 0)) await new Promise(r => setTimeout(r, 20))
    clearInterval(this.#timers.shift())
    for (const client of this.#clients) client.end()
  }

  #tick(rate) {
    const now = performance.now()
    this.#late = Math.max(this.#late * 0.99, now - this.#lastTick - TICK)
    this.#owed = Math.min(this.#owed + ((now - this.#lastTick) * rate) / 1000, rate / 10)
    this.#lastTick = now
    for (let tries = this.#owed * 2; this.#owed >= 1 && tries > 0; tries--) {
      if (this.#clients[this.#turn++ % this.#clients.length].ask()) this.#owed--
    }
    for (const client of this.#clients) client.flush()
  }

  /** Looks for requests that nobody answers. */
  #look() {
    const bound = this.#deadline + 1000 + 2 * this.#late
    for (const client of this.#clients) client.expire(performance.now() - bound)
  }
}

class Client {
  #load
  #field
  #at
  #way
  #socket
  #ready = false
  /** When it began to connect; `undefined` once it is let in. */
  #connecting
  /** Whether this connection has had a reply, and when it was told that there is no room for it. */
  #answered = false
  #refused
  #bytes = Buffer.alloc(0)
  #out = ''
  /** Requests of this connection that have replies, and their bytes. */
  #done = { answered: 0, bytes: 0 }
  /** Requests without replies, in their order. */
  #waiting = []
  #own = Array.from({ length: OWN }, () => ({ sent: 0, kept: 0, failed: new Set() }))
  #ended = false

  constructor(load, field, at, way) {
    this.#load = load
    this.#field = field
    this.#at = at
    this.#way = way
    this.#connect()
  }

  get waits() {
    return this.#waiting.length
  }

  /** Sends a request, if there is room for one. */
  ask() {
    if (!this.#ready || this.#waiting.length >= PIPELINE) return false
    const draw = Math.random()
    if (draw < 0.8) this.#read(Math.floor(Math.random() ** 2 * SHARED))
    else this.#touch(Math.floor(Math.random() * OWN), draw < 0.9)
    return true
  }

  leave() {
    if (this.#waiting.length === 0) this.#socket.destroy()
  }

  end() {
    this.#ended = true
    this.#socket.destroy()
  }

  flush() {
    if (this.#out === '') return
    this.#socket.write(this.#out)
    this.#out = ''
  }

  /** Whoever has waited since before then hangs: for a reply, to be let in, or to be hung up on. */
  expire(before) {
    const [first] = this.#waiting
    if (first?.at < before) this.#hang(`got no reply to ${first.what}`)
    else if (this.#connecting < before) this.#hang('was not let in')
    else if (this.#refused < before) this.#hang('was refused and not hung up on')
  }

  #hang(how) {
    this.#load.hung(`client ${this.#at} (${this.#way}) ${how}`)
    this.#socket.destroy()
  }

  #read(n) {
    this.#send(`GET d:${n}`, reply => {
      if (reply === null) this.#send(['SET', `d:${n}`, derived(n)], ok => this.#expect(ok, 'OK', n))
      else this.#expect(reply, derived(n), `GET d:${n}`)
    })
  }

  #touch(n, writes) {
    const [own, key] = [this.#own[n], `w:${this.#at}:${n}`]
    if (writes) {
      const version = ++own.sent
      const written = reply => {
        this.#expect(reply, 'OK', `SET ${key}`)
        own.kept = Math.max(own.kept, version)
      }
      return this.#send(`SET ${key} ${version}`, written, () => own.failed.add(version))
    }
    const least = own.kept
    this.#send(`GET ${key}`, reply => {
      const version = Number(reply ?? 0)
      if ((version >= least && version <= own.sent) || own.failed.has(version)) return
      this.#load.wrong(`${key} is ${version}, after ${least} was acknowledged, ${own.sent} sent`)
    })
  }

  #expect(reply, expected, what) {
    if (reply === expected) return
    const short = `${reply}`.slice(0, 60)
    this.#load.wrong(`${what} gave ${short}, not ${expected.slice(0, 60)}`)
  }

  #send(words, done, failed = () => {}) {
    const isLine = typeof words === 'string'
    // All of it is ASCII.
    const request = isLine ? `${words}\r\n` : encoded(words)
    this.#out += request
    const what = isLine ? words : words.slice(0, 2).join(' ')
    const { length } = request
    this.#waiting.push({ what, length, at: performance.now(), done, failed })
    this.#load.counts.sent++
  }

  #connect() {
    const { port, tlsPort, token } = this.#field
    const at = { host: '127.0.0.1', noDelay: true }
    this.#ready = false
    this.#connecting = performance.now()
    this.#answered = false
    this.#refused = undefined
    this.#bytes = Buffer.alloc(0)
    this.#out = ''
    this.#done = { answered: 0, bytes: 0 }
    let ends
    const isTls = this.#way === 'tls'
    const socket = isTls
      ? connectTls({ ...at, port: tlsPort, rejectUnauthorized: false })
      : createConnection({ ...at, port })
    this.#socket = socket
    socket.on('error', () => {})
    socket.once(isTls ? 'secureConnect' : 'connect', () => {
      this.#ready = true
      this.#connecting = undefined
      const { localAddress, localPort, remoteAddress, remotePort } = socket
      ends = { address: `${localAddress}:${localPort}`, local: `${remoteAddress}:${remotePort}` }
      if (this.#way !== 'token') return
      // Until it is known, nothing is asked.
      this.#ready = false
      this.#send(['AUTH', 'bearer', token], reply => {
        this.#ready = reply === 'OK'
        if (!this.#ready) this.#load.wrong(`a token that counts gave ${reply}`)
      })
      this.flush()
    })
    socket.on('data', chunk => this.#hear(chunk))
    // Who is hung up on asks nothing more.
    const parts = () => {
      this.#ready = false
      if (ends !== undefined) this.#load.partings.push({ ...ends, ...this.#open() })
      ends = undefined
    }
    socket.once('end', parts)
    socket.once('close', () => {
      parts()
      this.#ready = false
      this.#connecting = undefined
      this.#refused = undefined
      if (this.#ended) return
      if (this.#waiting.length > 0) this.#load.counts.closed++
      for (const { failed } of this.#waiting) failed()
      this.#waiting = []
      setTimeout(() => !this.#ended && this.#connect(), 50)
    })
  }

  /** What is answered of this connection, and what is not. */
  #open() {
    const next = this.#waiting[0]?.length ?? Number.POSITIVE_INFINITY
    return { ...this.#done, unanswered: this.#waiting.length, next }
  }

  #hear(chunk) {
    this.#bytes = this.#bytes.length === 0 ? chunk : Buffer.concat([this.#bytes, chunk])
    let at = 0
    for (;;) {
      const reply = replyAt(this.#bytes, at)
      if (reply === undefined) break
      at = reply.end
      this.#take(reply)
    }
    this.#bytes = this.#bytes.subarray(at)
    // What replies have led to.
    this.flush()
  }

  #take({ text, isError }) {
    const { counts, errors } = this.#load
    if (this.#refused !== undefined) return this.#load.wrong(`a reply after a refusal: ${text}`)
    if (isError && text === REFUSAL && !this.#answered) {
      // The connection closes now, and what was asked over it fails with that.
      this.#refused = performance.now()
      this.#ready = false
      return counts.refused++
    }
    this.#answered = true
    const asked = this.#waiting.shift()
    if (asked === undefined) return this.#load.wrong(`a reply to nothing: ${text}`)
    this.#done.answered++
    this.#done.bytes += asked.length
    counts.longest = Math.max(counts.longest, performance.now() - asked.at)
    if (!isError) {
      counts.good++
      return asked.done(text)
    }
    counts.errors++
    asked.failed()
    const words = text.replaceAll(/\d+/g, 'N').slice(0, 80)
    errors.set(words, (errors.get(words) ?? 0) + 1)
  }
}

function encoded(words) {
  return `*${words.length}\r\n${words.map(word => `$${word.length}\r\n${word}\r\n`).join('')}`
}

/** The reply that begins there: `undefined` if it is not all there. */
function replyAt(bytes, at) {
  const line = bytes.indexOf('\r\n', at, 'latin1')
  if (line < 0) return undefined
  const kind = String.fromCharCode(bytes[at])
  const text = bytes.toString('latin1', at + 1, line)
  if (kind !== '$') return { text, isError: kind === '-', end: line + 2 }
  if (text === '-1') return { text: null, isError: false, end: line + 2 }
  const end = line + 4 + Number(text)
  if (bytes.length < end) return undefined
  return { text: bytes.toString('latin1', line + 2, end - 2), isError: false, end }
}
