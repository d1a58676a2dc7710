/** A redis-server of a benchmark's own, on a free port. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '../../scripts/free-port.mjs'

/** A server that runs. */
export interface RedisServer {
  port: number
  stop(): Promise<void>
}

/** Starts one that saves nothing; later options win. */
export async function redisServer(...more: string[]): Promise<RedisServer> {
  const given = more.indexOf('--port')
  const port = given < 0 ? await freePort() : Number(more[given + 1])
  const dir = mkdtempSync(join(tmpdir(), 'breakwater-bench-'))
  const options = ['--port', `${port}`, '--bind', '127.0.0.1', '--save', '', '--dir', dir]
  const server = spawn('redis-server', [...options, ...more], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  for await (const text of server.stdout) if (/Ready to accept/.test(String(text))) break
  return {
    port,
    async stop() {
      server.kill()
      if (server.exitCode === null && server.signalCode === null) await once(server, 'exit')
      rmSync(dir, { recursive: true, force: true })
    },
  }
}
