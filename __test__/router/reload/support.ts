// A router that is reloaded while it serves.
import type { ExecutionContext } from 'ava'
import { createRouter, type RouterOptions } from 'breakwater/router'

/** Why what was asked for is refused. */
export const RESTS = 'until the node is started anew, not'

/** Starts one that listens; it is closed when the test ends. */
export async function start(t: ExecutionContext, options: RouterOptions) {
  t.timeout(180_000)
  const router = createRouter({ threads: 1, maxBytes: '64mb', ...options })
  t.teardown(() => router.close())
  const { port } = await router.listen({ port: 0 })
  return { router, port }
}
