// What redis_exporter reads of a node, as of any Redis: with a store of its own and in front of one.
import { spawn } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { freePort } from '../../scripts/free-port.mjs'
import { installed, Raw, redis, type Served, serve } from '../router/support.ts'

const PROGRAM = 'prometheus-redis-exporter'
const exported = installed('redis-server') && installed(PROGRAM) ? test : test.skip

/** What an exporter says of a server, by names with labels. */
async function exportedBy(t: ExecutionContext, { port }: Served): Promise<Map<string, string>> {
  const at = `127.0.0.1:${await freePort()}`
  const address = `redis://127.0.0.1:${port}`
  const exporter = spawn(PROGRAM, ['--redis.addr', address, '--web.listen-address', at])
  t.teardown(() => exporter.kill('SIGKILL'))
  for (;;) {
    const text = await fetch(`http://${at}/metrics`).then(
      reply => reply.text(),
      () => undefined,
    )
    if (text === undefined) {
      await sleep(20)
      continue
    }
    const lines = text.split('\n').filter(line => line !== '' && !line.startsWith('#'))
    return new Map(lines.map(line => line.split(/ (?=\S+$)/) as [string, string]))
  }
}

/** What panels for Redis show, which every server says. */
const SHOWN = [
  'redis_uptime_in_seconds',
  'redis_connected_clients',
  'redis_blocked_clients',
  'redis_memory_used_bytes',
  'redis_memory_max_bytes',
  'redis_commands_processed_total',
  'redis_connections_received_total',
  'redis_rejected_connections_total',
  'redis_net_input_bytes_total',
  'redis_net_output_bytes_total',
  'redis_keyspace_hits_total',
  'redis_keyspace_misses_total',
  'redis_expired_keys_total',
  'redis_evicted_keys_total',
  'redis_db_keys{db="db0"}',
  'redis_db_keys_expiring{db="db0"}',
  'redis_config_maxclients',
  'redis_start_time_seconds',
]

for (const [kind, start] of [
  ['with a store of its own', (t: ExecutionContext) => serve(t, '--threads', '1')],
  [
    'in front of a store',
    async (t: ExecutionContext) => {
      const { port } = await redis(t, '--maxmemory', '64mb')
      return serve(t, '--threads', '1', '--store', `redis://127.0.0.1:${port}`)
    },
  ],
] as const) {
  exported(`redis_exporter finds what its panels show, of a node ${kind}`, async t => {
    t.timeout(120_000)
    const node = await start(t)
    const client = await Raw.open(t, node.port)
    for (const key of ['a', 'b', 'c']) await client.send('SET', key, 'value')
    await client.send('EXPIRE', 'c', '1000')
    const said = await exportedBy(t, node)
    t.is(said.get('redis_up'), '1')
    t.is(said.get('redis_exporter_last_scrape_error{err=""}'), '0')
    for (const name of SHOWN) t.true(Number(said.get(name)) >= 0, `${name}: ${said.get(name)}`)
    t.is(said.get('redis_db_keys{db="db0"}'), '3')
    t.is(said.get('redis_db_keys_expiring{db="db0"}'), '1')
    t.true(Number(said.get('redis_memory_max_bytes')) > 0)
  })
}
