// Hooks in a file, and a node that has them.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { createRouter, type Router, type RouterOptions } from 'breakwater/router'
import { folderOf } from '../../helpers/folders.ts'

/** Writes a module whose default export is this; its path. */
export function moduleOf(t: ExecutionContext, hooks: string, name = 'hooks.mjs'): string {
  const path = join(folderOf(t, 'hooks'), name)
  writeFileSync(path, `export default ${hooks}`)
  return path
}

/** A router that serves until the test ends, and its port. */
export async function routerOf(
  t: ExecutionContext,
  options: RouterOptions,
): Promise<{ router: Router; port: number }> {
  const router = createRouter({ maxBytes: '16mb', ...options })
  t.teardown(() => router.close())
  const { port } = await router.listen({ port: 0 })
  return { router, port }
}

/** The warnings of hooks that the process gives from now on. */
export function hookWarnings(t: ExecutionContext): string[] {
  const heard: string[] = []
  const hear = (warning: Error & { code?: string }) => {
    if (warning.code === 'BREAKWATER_HOOK') heard.push(warning.message)
  }
  process.on('warning', hear)
  t.teardown(() => process.off('warning', hear))
  return heard
}
