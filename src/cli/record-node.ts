// A recording of a node that runs, through its admin entrance.
import { once } from 'node:events'
import type { Writable } from 'node:stream'
import { TraceError } from '../base/errors.ts'
import type { RemoteNode } from './remote.ts'

/**
 * Writes what the node's clients read to `out`, until so many requests are written or the signal aborts.
 * How many were, and how many the node had no room for.
 * @throws TraceError `ERR_TRACE`: the node is not reached, refuses, or goes away.
 */
export async function recordedNode(
  node: RemoteNode,
  limit: number,
  signal: AbortSignal,
  out: Writable,
): Promise<{ requests: number; lost: number }> {
  let [lines, lost] = [0, 0]
  const ended = new AbortController()
  try {
    for await (const line of node.lines('/record', AbortSignal.any([signal, ended.signal]))) {
      if (line.startsWith('#')) {
        lost += Number(/^# lost (\d+)$/.exec(line)?.[1] ?? 0)
      } else {
        if (!out.write(`${line}\n`)) await once(out, 'drain', { signal })
        // The first line says what is in the others.
        if (lines++ === limit) break
      }
    }
    if (!signal.aborted && lines <= limit) throw new Error(`the node at ${node.address} has ended`)
  } catch (error) {
    if (!signal.aborted) throw new TraceError((error as Error).message)
  } finally {
    ended.abort()
  }
  return { requests: Math.max(0, lines - 1), lost }
}
