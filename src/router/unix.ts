// A socket of this machine: its file is made, taken over from a process that ended, and removed.
import { lstatSync, type Stats, unlinkSync } from 'node:fs'
import { createConnection } from 'node:net'
import { BreakwaterError, InvalidOptionError } from '../base/errors.ts'
import { Entering, listenUnix } from '../native/router.ts'

/** The longest path that every system takes, in bytes. */
const LONGEST = 103

/** A socket before it is open. */
export interface UnixPlan {
  path: string
  mode: number
  kind: number
  /** The option that names it. */
  option: string
}

/** Checks a path. Throws {@link InvalidOptionError}. */
export function planUnix(path: string, mode: number, option = 'unix'): UnixPlan {
  if (typeof path !== 'string' || path === '' || Buffer.byteLength(path) > LONGEST) {
    throw new InvalidOptionError(option, path, `a path of 1 to ${LONGEST} bytes`)
  }
  if (listenUnix === undefined) {
    throw new InvalidOptionError(option, path, 'left out: this system has no such sockets here')
  }
  return { path, mode, kind: Entering.unix, option }
}

/** Listens; `remove` takes the file away, unless somebody has put another one in its place. */
export async function openUnix({ path, mode, option }: UnixPlan) {
  await makeRoom(path, option)
  const fd = listenUnix!(path, mode)
  const { ino } = lstatSync(path)
  const remove = () => {
    if (stat(path)?.ino === ino) unlinkSync(path)
  }
  return { fd, remove }
}

/** Removes the socket of a process that has ended; throws if anything else is there. */
async function makeRoom(path: string, option: string): Promise<void> {
  const found = stat(path)
  if (found === undefined) return
  if (!found.isSocket()) {
    throw new InvalidOptionError(option, path, 'the path of a socket: there is another file')
  }
  if (await answers(path)) {
    throw new BreakwaterError('ERR_ROUTER_STATE', `another process listens on ${path}`)
  }
  unlinkSync(path)
}

function stat(path: string): Stats | undefined {
  return lstatSync(path, { throwIfNoEntry: false })
}

/** Whether somebody accepts there, or may. */
function answers(path: string): Promise<boolean> {
  return new Promise(resolve => {
    const socket = createConnection({ path })
    const end = (answer: boolean) => {
      socket.destroy()
      resolve(answer)
    }
    socket.once('connect', () => end(true))
    socket.once('error', (error: NodeJS.ErrnoException) => end(error.code !== 'ECONNREFUSED'))
  })
}
