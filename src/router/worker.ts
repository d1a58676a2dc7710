// A worker thread of the routing node: accepts connections from the shared entrances.
import { parentPort, workerData } from 'node:worker_threads'
import { NativeDriverError } from '../base/errors.ts'
import { queueMicrotask, setImmediate } from '../base/runtime.ts'
import { FaultCost } from '../native/router.ts'
import type { Drain } from './drain.ts'
import type { Share } from './entrances.ts'
import { NetServers, type NetTls } from './net.ts'
import type { DriverName } from './options.ts'
import { type Fault, faultError, serveNatively, type ThreadDriver } from './sockets.ts'

/** What the main thread hands to a worker. */
export interface Assignment {
  /** The router's number in the process. */
  router: number
  /** This worker's own descriptors of the listening sockets. */
  shares: Share[]
  /** Which driver is to serve. */
  driver: DriverName
  /** How `net` meets clients by TLS. */
  tls: NetTls | undefined
  /** Whether it meets the store before a client needs that. */
  meets: boolean
}

/** What the main thread tells a worker later. */
export type Order = { kind: 'meet' } | { kind: 'stop'; drain: Drain } | { kind: 'tls'; tls: NetTls }

/** What a worker tells: that it serves, and bugs that cost clients their connections. */
export type News = { kind: 'listening'; driver: 'native' | 'net' } | { kind: 'fault'; fault: Fault }

const { router, shares, driver: wanted, tls, meets } = workerData as Assignment
const sockets = wanted === 'net' ? undefined : serveNatively(router, shares, tell)
if (sockets === undefined && wanted === 'native') throw new NativeDriverError()

if (sockets === undefined) {
  const servers = NetServers.attach(router, tls)
  servers
    .open(shares)
    .then(() => serve('net', servers, next => servers.setTls(next)))
    // The worker fails with it.
    .catch(error => queueMicrotask(() => raise(error)))
} else {
  // The native drivers of a router are told of new certificates all at once.
  serve('native', sockets, async () => {})
}

/** Tells of a bug. Without a driver the worker fails, and is replaced. */
function tell(fault: Fault): void {
  if (fault.cost === FaultCost.driver) setImmediate(() => raise(faultError(fault)))
  else parentPort?.postMessage({ kind: 'fault', fault } satisfies News)
}

function raise(error: unknown): never {
  throw error
}

/** Tells that clients are served, until the end is asked for. */
function serve(
  driver: 'native' | 'net',
  served: ThreadDriver,
  setTls: (tls: NetTls) => Promise<void>,
): void {
  if (meets) served.meet()
  parentPort?.postMessage({ kind: 'listening', driver } satisfies News)
  parentPort?.on('message', async (order: Order) => {
    if (order.kind === 'meet') return served.meet()
    if (order.kind === 'tls') return void setTls(order.tls)
    await served.drain(order.drain)
    process.exit(0)
  })
}
