// A dashboard as routes of an admin entrance, which knows who may ask.
import type { AdminRoute } from '../admin/route.ts'
import type { Router } from '../router/index.ts'
import { ASSETS, asset } from './assets.ts'
import { Board } from './board.ts'
import type { NodeControl } from './node-actions.ts'
import { NodeSource } from './node-source.ts'

/** The time between two samples, in milliseconds. */
const EVERY = 1000

/**
 * The routes of a dashboard that shows a node: its page, which anybody may have, and what is in it, which
 * is for those who have the token.
 *
 * @param control - ends the node in order, and says whether values are shown.
 */
export function dashboardRoutes(router: Router, control: NodeControl): AdminRoute[] {
  const board = new Board([new NodeSource(router, 'node', control)], EVERY)
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
      method: 'GET',
      path: '/removals',
      access: 'token',
      handle: ({ url, signal }) => board.removals(url.searchParams.get('source'), signal),
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
