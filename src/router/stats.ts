// What a router counts, as `stats()` gives it.
import type { HotKeyStats } from './hot-keys.ts'

/** Counts since the start, of all threads together. */
export interface RouterStats {
  /** Clients connected now. */
  clients: number
  /** Clients ever connected. */
  connections: number
  /** Clients turned away because there were too many. */
  refused: number
  /** Commands run. */
  commands: number
  /** Bytes received from clients. */
  bytesReceived: number
  /** Bytes of replies. */
  bytesSent: number
  /** Bugs in the node, each of which cost some clients their connections: see `ERR_INTERNAL`. */
  faults: number
  /** Workers that failed, whose clients were disconnected, and that were replaced. */
  replaced: number
  /** Reads that found their key. */
  hits: number
  /** Reads that did not. */
  misses: number
  /** Entries that made room for others. */
  evictions: number
  /** Entries whose time ran out. */
  expirations: number
  /** Entries now. */
  entries: number
  /** Bytes charged to the store now. */
  bytes: number
  /** Which entry leaves when another needs its room: see `RouterOptions.policy`. */
  policy: string
  /** The most bytes that may be charged; `undefined` if that is not bounded. */
  maxBytes: number | undefined
  /** Requests taken, by class. */
  requests: { read: number; write: number; other: number }
  /**
   * How long the node took for what it answered itself: from when its thread knew that there was
   * something to read until the replies were written.
   */
  latency: ClassLatencies
  /** How long reads waited for the reply to another one. */
  waited: LatencyStats
  /** Replies of a store that more than 10 reads waited for. */
  herds: number
  /** The most reads that waited for one reply. */
  largestHerd: number
  /** What waits in the process: see {@link RouterOptions.maxBuffers}. */
  buffers: {
    /** Bytes that wait now. */
    bytes: number
    /** The most that may. */
    maxBytes: number
    /** Clients that were disconnected since more waited. */
    cut: number
    /** Clients that were since more waited of their users than `limits.bufferedBytes`. */
    cutByUser: number
    /** Clients that were since they took no reply for {@link RouterOptions.slowReaderTimeout}. */
    cutSlow: number
  }
  /** Replies given beyond their time, by reason. */
  staleGiven: {
    /** The store could not be asked. */
    unreachable: number
    /** It was asked and did not answer. */
    failed: number
    /** It was asked for as many reads as it may be. */
    busy: number
    /** It had failed too often to be asked: see {@link RouterOptions.breaker}. */
    open: number
  }
  /** Reads in the first minute after the start. */
  cold: { hits: number; misses: number }
  /** Replies to clients that were errors. */
  errors: number
  /** Those of them by which the node refused a request or a client by itself, by the reason. */
  refusals: {
    /** `NOAUTH`: who asked is not known yet. */
    unauthenticated: number
    /** `WRONGPASS`: the password or the token is wrong. */
    password: number
    /** `NOPERM`: the user may not do that. */
    permission: number
    /** `LIMIT requests`: as many a second as the user may make. */
    requests: number
    /** `LIMIT bytes`: as many a second as the user may send and receive. */
    bytes: number
    /** `LIMIT inflight`: as many without a reply as the user may have. */
    inFlight: number
    /** `LIMIT connections`: as many as the user may have. */
    connections: number
    /** `LIMIT value`: an argument is longer than {@link RouterOptions.maxValueBytes}. */
    value: number
  }
  /** The most of them that one client has got who is connected. */
  errorsOfOne: number
  /** Handshakes of TLS with clients that came to an end. */
  handshakes: number
  /** Handshakes of TLS with clients that failed. */
  handshakesFailed: number
  /** How often connections had to wait since as many had come in as may in a second. */
  heldBackByRate: number
  /** How often they had to wait since as many agreed on keys as may at once. */
  heldBackByHandshakes: number
  /** Which share of the reads in memory the keys have that are read most: 0 to 1, from a sample. */
  skew: { top1: number; top10: number; top100: number }
  /** What each worker has done. One that takes the place of one that ended goes on with its counts. */
  threads: ThreadStats[]
  /** How uneven requests are shared out: those of the busiest over the mean; 1 if all have as many. */
  imbalance: { threads: number; stores: number }
  /** How often the configuration was reloaded. */
  reloads: number
  /** When that was last, in Unix milliseconds; `undefined` before. */
  reloadedAt: number | undefined
  /** The last reload that was refused, and why; `undefined` if none was. */
  reloadRefused: { at: number; why: string } | undefined
  /** What is counted of each server behind the node: the store, then its replicas. */
  upstream: UpstreamStats[]
  /** What came of the reads of each route, in front of a store. */
  routes: RouteStats[]
  /**
   * Keys that have a large share of the reads that are not remembered, and those that are pinned, the
   * hottest first.
   */
  hotKeys: HotKeyStats[]
  /** What hooks were asked, and what they said. */
  hooks: HookStats
}

/** What hooks were asked since the start, and what they said. */
export interface HookStats {
  /** Questions: about commands, clients that came, and the routes of keys. */
  asked: number
  /** Commands that became others. */
  rewritten: number
  /** Commands whose replies a hook gave. */
  answered: number
  /** Commands and clients that a hook refused. */
  refused: number
  /** Questions to which a hook gave no proper answer: it threw, or took too long. */
  failed: number
  /** What the hooks of each kind were asked. */
  kinds: HookKindStats[]
}

/** What the hooks of one kind were asked since the start. */
export interface HookKindStats {
  hook: 'onConnect' | 'onCommand' | 'route'
  /** Questions. */
  asked: number
  /** Those to which a hook gave no proper answer: it threw, or took too long. */
  failed: number
  /** Those among them that took too long. */
  late: number
  /** From questions to answers, in all. */
  seconds: number
}

/** What the native router tells of itself. */
export type Report = Omit<RouterStats, 'policy' | 'imbalance' | 'replaced'>

/**
 * - `closed`: the server is asked.
 * - `open`: it is not.
 * - `half-open`: the node has asked whether it is there.
 */
export type StoreBreakerState = 'closed' | 'open' | 'half-open'

/** What is counted of a server behind a node, over all threads, since the start. */
export interface UpstreamStats {
  /** Where it is. */
  address: string
  /** Whether it takes writes. */
  role: 'primary' | 'replica'
  /**
   * Of the primary: `'up'` while a connection serves, else `'down'`. Of a replica: `'up'` while it is
   * read; `'unknown'`, it has not answered yet; `'unlinked'`, it does not hear from its primary;
   * `'foreign'`, it is no replica of this store; `'unfit'`, it does not answer reads; `'late'`, it is
   * too far behind.
   */
  state: 'up' | 'down' | 'unknown' | 'unlinked' | 'foreign' | 'unfit' | 'late'
  /** How many milliseconds ago a replica surely had all that the primary had. */
  lag: number | undefined
  /** Connections that serve now. */
  connections: number
  /** Connections that began to serve. */
  connects: number
  /** Connections that served and were lost. */
  losses: number
  /** Tries to connect that came to nothing. */
  failures: number
  /** Requests sent, with those of the node itself. */
  requests: number
  /** Requests that wait for their replies now. */
  inFlight: number
  /** Connections that belong to single clients now. */
  pinned: number
  /** Of these, those that no client has. */
  pinnedIdle: number
  /** Clients that wait for one now. */
  pinnedWaiting: number
  /** Reads that memory did not answer and that it is asked now: see {@link RouterOptions.misses}. */
  misses: number
  /** Those that wait now until it may be asked. */
  waitingMisses: number
  /** Those that were not asked: as many waited as may, or they waited for too long. */
  turnedAway: number
  /** Whether it is asked: see {@link RouterOptions.breaker}. */
  breaker: StoreBreakerState
  /** How often its breaker has opened. */
  opened: number
  /** How long it took for what clients asked, from then on: what goes over connections of single clients is left out. */
  latency: ClassLatencies
}

/**
 * How long something took, in milliseconds, as {@link RouterStats.latency} and others have it. What is
 * read of it is off by 1/32 at most.
 */
export interface LatencyStats {
  /** How many were recorded. */
  count: number
  /** How long all of them took together. */
  sum: number
  /** Half of them took no longer; `undefined` if there are none. */
  p50: number | undefined
  /** 90 % of them took no longer. */
  p90: number | undefined
  /** 99 % of them took no longer. */
  p99: number | undefined
  /** 99.9 % of them took no longer. */
  p999: number | undefined
  /**
   * How many took less than 1 µs, then from 1 to 2 µs, from 2 to 4 µs and so on; the last count is of
   * those that took 67 s or longer.
   */
  buckets: number[]
}

/** Latencies by the class of the command. */
export interface ClassLatencies {
  /** Of commands that change nothing. */
  read: LatencyStats
  /** Of commands that change keys, or may. */
  write: LatencyStats
  /** Of commands that concern no key. */
  other: LatencyStats
}

/** What a thread has done since the start. */
export interface ThreadStats {
  /** Requests taken. */
  requests: number
  /** Tasks that its last turn left. */
  queue: number
  /** How long its turns took together, in milliseconds: 1,000 a second is all that it can. */
  busy: number
}

/** What came of the reads of a route since the start. */
export interface RouteStats {
  /** Its keys: see `RouterRoute.match`. */
  match: string
  /** Replies from memory. */
  hits: number
  /** Reads that the store answered, to be remembered. */
  misses: number
  /** Reads that waited for another one's reply. */
  joined: number
  /** Replies that are remembered. */
  stored: number
  /** Replies that are not: their keys changed meanwhile, or they did not fit. */
  dropped: number
  /** Reads that passed by the memory. */
  passed: number
  /** What memory would have answered, in shadow mode. */
  shadowed: number
  /** Replies given beyond their time since the store was unreachable. */
  staleGiven: number
  /** Reads before a reply's end, to replace it. */
  refreshed: number
  /** Reads of what another process or node had read most, by one that began: see `mode`. */
  warmed: number
  /** Reads of keys that were left out since they are written too often. */
  leftOut: number
  /** Replies from memory that were compared with the store's. */
  verified: number
  /** Of these, those that were different, by age: up to 20 ms, 200 ms, 2 s, 20 s, and older. */
  stale: number[]
}

/** How uneven numbers are: the largest over their mean; 1 if there are none. */
export function imbalanceOf(counts: number[]): number {
  const sum = counts.reduce((sum, count) => sum + count, 0)
  return sum === 0 ? 1 : (Math.max(...counts) * counts.length) / sum
}

/** How unevenly the requests fall on its threads, and on the stores behind it. */
export function imbalanceIn({ threads, upstream }: Report): RouterStats['imbalance'] {
  const stores = upstream.filter(({ role }) => role === 'primary')
  return {
    threads: imbalanceOf(threads.map(({ requests }) => requests)),
    stores: imbalanceOf(stores.map(({ requests }) => requests)),
  }
}
