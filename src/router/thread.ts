// A worker that is a thread: it serves clients of the router that the main thread made.
import { parentPort, workerData } from 'node:worker_threads'
import { NativeDriverError } from '../base/errors.ts'
import type { Share } from './entrances.ts'
import type { HookModule } from './hooks/module.ts'
import { NetServers, type NetTls } from './net.ts'
import type { DriverName } from './options.ts'
import { serveNatively } from './sockets.ts'
import { hooksFor, type Line, raise, tellFaults, tellHooks, work } from './work.ts'

/** What the main thread hands to a thread. */
export interface ThreadAssignment {
  /** The router's number in the process. */
  router: number
  /** This thread's own descriptors of the listening sockets. */
  shares: Share[]
  /** It sets the first number to 1 when they are its own to close. */
  taken: Int32Array
  /** Which driver is to serve. */
  driver: DriverName
  /** How `net` meets clients by TLS. */
  tls: NetTls | undefined
  /** What has a say in requests. */
  hooks: HookModule | undefined
}

const line: Line = {
  tell: news => parentPort?.postMessage(news),
  hear: told => void parentPort?.on('message', told),
  leave: () => process.exit(0),
}
const { router, shares, taken, driver, tls, hooks: module } = workerData as ThreadAssignment
Atomics.store(taken, 0, 1)
start().catch(raise)

async function start(): Promise<void> {
  // Nobody is served past the hooks.
  const hooks = await hooksFor(line, module)
  const [faults, failed] = [tellFaults(line), tellHooks(line)]
  const served = driver === 'net' ? undefined : serveNatively(router, shares, faults, failed, hooks)
  if (served !== undefined) {
    // The native drivers of a router are told of an edition all at once.
    return work(line, { driver: 'native', served, hooks, warm: served.warm, reload() {} })
  }
  if (driver === 'native') throw new NativeDriverError()
  const servers = NetServers.attach(router, tls, failed)
  servers.setHooks(hooks)
  await servers.open(shares)
  const reload = async ({ tls }: { tls: NetTls | undefined }) => {
    if (tls !== undefined) await servers.setTls(tls)
  }
  work(line, { driver: 'net', served: servers, hooks, reload })
}
