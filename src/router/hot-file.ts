// The file in which a node keeps what it reads most.
import { builtin } from '../base/builtin.ts'
import { LONGEST, tooLong } from './hot-reads.ts'

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

/** Writes the file anew, for this user alone; whoever reads it has all of the old one or of the new one. */
export async function writeHot(path: string, bytes: Uint8Array): Promise<void> {
  const { promises } = builtin('node:fs')
  const next = `${path}.${process.pid}.new`
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
