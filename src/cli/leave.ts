// The end of a process that something of the system may hold up: a file system that does not answer keeps a
// thread of libuv, and an exit waits for that thread.
import { now, setTimeout } from '../base/runtime.ts'

/** What may wait in such threads, as Node.js names it. */
const HELD = /^(FSReq|GetAddrInfoReq|GetNameInfoReq)/
/** How long is waited for it, and how often is looked, in milliseconds. */
const WITHIN = 1000
const LOOK = 20

/** Ends the process with a code once nothing holds it up, and by force if something goes on to. */
export async function leave(code: number): Promise<never> {
  for (const until = now() + WITHIN; isHeld() && now() < until; ) {
    await new Promise(resolve => setTimeout(resolve, LOOK))
  }
  return leaveNow(code)
}

/** Ends the process at once. */
export function leaveNow(code: number): never {
  if (isHeld()) process.kill(process.pid, 'SIGKILL')
  process.exit(code)
}

function isHeld(): boolean {
  return process.getActiveResourcesInfo().some(name => HELD.test(name))
}
