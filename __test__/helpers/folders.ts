// Folders of tests: each is gone when its test is over, even where something still writes into it.
import { mkdtempSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { ExecutionContext } from 'ava'

/** What the system says while somebody still writes into a folder that is being removed. */
const BUSY = ['ENOTEMPTY', 'EEXIST', 'EBUSY']

/** A new folder for temporary files. */
export const newFolder = (name: string): string =>
  mkdtempSync(join(tmpdir(), `breakwater-${name}-`))

/** A new folder that is removed when the test ends. */
export function folderOf(t: ExecutionContext, name: string): string {
  const folder = newFolder(name)
  t.teardown(() => removeFolder(folder))
  return folder
}

/**
 * Removes a folder. A process that was killed, or a snapshot that nobody waited for, may write one
 * more file meanwhile: then it begins again.
 */
export async function removeFolder(folder: string): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      return await rm(folder, { recursive: true, force: true })
    } catch (error) {
      if (tries === 500 || !BUSY.includes((error as NodeJS.ErrnoException).code ?? '')) throw error
      await pause(20)
    }
  }
}
