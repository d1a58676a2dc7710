// The file in which a node keeps what it reads most.
import { basename, dirname, join } from 'node:path'
import { builtin } from '../base/builtin.ts'
import { LONGEST, tooLong } from './hot-reads.ts'

/** How the file ends that a process writes, behind its number, before it is renamed. */
const NEXT = '.new'

/** What the file holds; `undefined` if there is none. Rejects with why it cannot be read. */
export async function readHot(path: string): Promise<Buffer | undefined> {
  const { constants, promises } = builtin('node:fs')
  // Nobody may write to what is no file: opening it would wait for that.
  const mode = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0)
  const file = await promises.open(path, mode).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  if (file === undefined) return undefined
  try {
    const stat = await file.stat()
    if (!stat.isFile()) throw new Error('it is no file')
    if (stat.size > LONGEST) throw tooLong()
    return await file.readFile()
  } finally {
    await file.close()
  }
}

/**
 * Writes the file anew, for this user alone; whoever reads it has all of the old one or of the new one.
 * What processes have left that ended in the middle of that is removed.
 */
export async function writeHot(path: string, bytes: Uint8Array): Promise<void> {
  const { promises } = builtin('node:fs')
  await removeLeftovers(path)
  const next = `${path}.${process.pid}${NEXT}`
  await promises.rm(next, { force: true })
  const file = await promises.open(next, 'wx', 0o600)
  try {
    await file.writeFile(bytes)
    await file.sync()
  } finally {
    await file.close()
  }
  await promises.rename(next, path)
}

/** Removes what processes have begun to write that are no more; what cannot be removed stays. */
async function removeLeftovers(path: string): Promise<void> {
  const { promises } = builtin('node:fs')
  const [folder, name] = [dirname(path), `${basename(path)}.`]
  const files = await promises.readdir(folder).catch(() => [])
  const leftovers = files.filter(file => {
    if (!file.startsWith(name) || !file.endsWith(NEXT)) return false
    const writer = file.slice(name.length, -NEXT.length)
    return /^[1-9]\d{0,9}$/.test(writer) && isGone(Number(writer))
  })
  for (const file of leftovers) await promises.rm(join(folder, file)).catch(() => {})
}

/** Whether there is no such process; one of another user is there. */
function isGone(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return false
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH'
  }
}
