// What every admin entrance answers: probes, where the node stands, and what it can be told to do.
import { HOT_PATH } from '../router/hot-peer.ts'
import type { Router } from '../router/index.ts'
import type { AdminReply, AdminRoute } from './route.ts'

/** What a node can be told. */
export interface Orders {
  reload: () => Promise<{ changed: string[] }>
  /** Begins; its end is not waited for. */
  drain: () => void
}

/** The routes of a node. */
export function routesOf(router: Router, { reload, drain }: Orders): AdminRoute[] {
  return [
    { method: 'GET', path: '/livez', access: 'anybody', handle: () => ({ body: 'ok\n' }) },
    { method: 'GET', path: '/readyz', access: 'anybody', handle: () => readiness(router) },
    { method: 'GET', path: HOT_PATH, access: 'token', handle: () => hotReads(router) },
    { method: 'GET', path: '/status', access: 'token', handle: () => ({ body: statusOf(router) }) },
    {
      method: 'GET',
      path: '/record',
      access: 'token',
      handle: ({ signal }) => recorded(router, signal),
    },
    {
      method: 'POST',
      path: '/drain',
      access: 'token',
      handle() {
        drain()
        return { status: 202, body: { drain: router.status().drain } }
      },
    },
    {
      method: 'POST',
      path: '/reload',
      access: 'token',
      handle: () => told(async () => ({ changed: (await reload()).changed })),
    },
    {
      method: 'POST',
      path: '/restart',
      access: 'token',
      handle: () =>
        told(async () => {
          await router.restart()
          return { workers: router.status().workers }
        }),
    },
  ]
}

/** Where a node stands, and what it has counted. */
function statusOf(router: Router) {
  return { ...router.status(), process: process.pid, stats: router.stats() }
}

/** For load balancers: 200 where clients should be sent here, else 503 and why not. */
function readiness(router: Router): AdminReply {
  const { ready, reasons } = router.status()
  return { status: ready ? 200 : 503, body: { ready, reasons } }
}

/** What it reads most, for one that begins; 409 with the reason where it does not serve. */
async function hotReads(router: Router): Promise<AdminReply> {
  try {
    const body = Buffer.from(await router.hotReads())
    return { headers: { 'content-type': 'application/octet-stream' }, body }
  } catch (error) {
    return refused(error)
  }
}

/** What clients read from now on, as a trace; 409 with the reason where it is not recorded. */
function recorded(router: Router, signal: AbortSignal): AdminReply {
  try {
    return { headers: { 'content-type': 'text/csv' }, body: router.record(signal) }
  } catch (error) {
    return refused(error)
  }
}

/** What came of an order; 409 with the reason where it was refused. */
async function told(order: () => Promise<unknown>): Promise<AdminReply> {
  try {
    return { body: await order() }
  } catch (error) {
    return refused(error)
  }
}

function refused(error: unknown): AdminReply {
  const { code = 'REFUSED', message } = error as NodeJS.ErrnoException
  return { status: 409, body: { error: { code, message } } }
}
