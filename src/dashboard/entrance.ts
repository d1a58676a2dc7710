// A dashboard as routes of an admin entrance, which knows who may ask.
import type { AdminRoute } from '../admin/route.ts'
import type { Router } from '../router/index.ts'
import { ASSETS, asset } from './assets.ts'
import { Board } from './board.ts'
import { NodeSource } from './node-source.ts'

/** The time between two samples, in milliseconds. */
const EVERY = 1000

/**
 * The routes of a dashboard that shows a node: its page, which anybody may have, and what is in it, which
 * is for those who have the token.
 *
 * @param drain - ends the node in order.
 */
export function dashboardRoutes(router: Router, drain: () => void): AdminRoute[] {
  const board = new Board([new NodeSource(router, 'node', { drain })], EVERY)
  const page: AdminRoute[] = ['', ...ASSETS].map(name => ({
    method: 'GET',
    path: `/${name}`,
    access: 'anybody',
    handle: ({ headers }) => asset(name || 'index.html', headers),
  }))
  return [
    ...page,
    {
      method: 'GET',
      path: '/events',
      access: 'token',
      handle: ({ signal }) => board.events(true, signal),
    },
    {
      method: 'POST',
      path: '/act',
      access: 'token',
      handle: ({ body }) => board.act(parsed(body)),
    },
  ]
}

/** A body; what is no JSON is refused as what it is. */
function parsed(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    return undefined
  }
}
