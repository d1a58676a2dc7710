// Where a node stands, for people.
import type { RouterAddress } from '../router/index.ts'
import type { NodeStatus } from './remote.ts'
import { sized } from './table.ts'

/** Some lines: what it is, where it listens, what it does. */
export function statusText(status: NodeStatus): string {
  const { stats, workers, drain } = status
  const reads = stats.hits + stats.misses
  const rows: [what: string, is: string][] = [
    ['state', [status.state, ...(status.ready ? ['ready'] : status.reasons)].join(', ')],
    ['version', `${status.version}, process ${status.process}, up ${lasted(status.uptime)}`],
    ['listens on', status.addresses.map(place).join(', ') || 'nothing'],
    [workers.mode, `${workers.serving} of ${workers.wanted} serve, ${workers.replaced} replaced`],
    ['clients', `${stats.clients} now, ${stats.connections} ever, ${stats.refused} refused`],
    ['commands', String(stats.commands)],
    ['reads', `${reads}${reads === 0 ? '' : `, ${share(stats.hits / reads)} from memory`}`],
    ['memory', `${sized({ capacity: stats.bytes, inBytes: true })}, ${stats.entries} entries`],
    ...stats.upstream.map(({ role, address, state, connections, inFlight }): [string, string] => [
      role,
      `${address} ${state}, ${connections} connections, ${inFlight} requests in flight`,
    ]),
    ...(drain === undefined
      ? []
      : [['drain', `${drain.left} of ${drain.clients} clients left`] as [string, string]]),
  ]
  return rows.map(([what, is]) => `${what.padEnd(12)}${is}\n`).join('')
}

function place({ address, port, secure, family }: RouterAddress): string {
  if (family === 'unix') return address
  return `${address}:${port}${secure ? ' (TLS)' : ''}`
}

function share(part: number): string {
  return `${(part * 100).toFixed(1)} %`
}

/** A time as people say it. */
function lasted(ms: number): string {
  const seconds = Math.floor(ms / 1000)
  const parts = [
    [Math.floor(seconds / 86_400), 'd'],
    [Math.floor(seconds / 3600) % 24, 'h'],
    [Math.floor(seconds / 60) % 60, 'min'],
    [seconds % 60, 's'],
  ] as const
  const from = parts.findIndex(([count]) => count > 0)
  const shown = from < 0 ? parts.slice(-1) : parts.slice(from, from + 2)
  return shown.map(([count, unit]) => `${count} ${unit}`).join(' ')
}
