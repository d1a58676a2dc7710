// A server with users, TLS and a socket, and clients of both libraries that are set up in some way. A test
// file that makes such clients says `test.after.always(closeClients)`: they are closed whatever fails.
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { Redis, type RedisOptions } from 'ioredis'
import { createClient } from 'redis'
import { freePort } from '../../scripts/free-port.mjs'
import type { TierSession } from '../../src/tier/contract.ts'
import { type RedisTierOptions, redis as redisTier } from '../../src/tier/redis/index.ts'
import { folderOf } from '../helpers/folders.ts'
import { redis } from '../router/support.ts'
import type { Host } from './sessions.ts'

/** A server with users, TLS and a socket, and how to see what it has. */
export interface Place {
  port: number
  tls: number
  path: string
  ca: Buffer
  /** Asks in a database, by the user that may do anything. */
  ask(database: number, ...args: string[]): Promise<unknown>
}

export const USER = { username: 'app', password: 'secret' }

export async function place(t: ExecutionContext): Promise<Place> {
  const dir = folderOf(t, 'setup')
  const [key, cert] = ['key.pem', 'cert.pem'].map(name => join(dir, name)) as [string, string]
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1']
  const made = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1']
  const files = ['-nodes', '-days', '2', '-keyout', key, '-out', cert]
  execFileSync('openssl', [...made, ...files, ...subject], { stdio: 'ignore' })
  const [tls, path] = [await freePort(), join(dir, 'redis.sock')]
  const secure = ['--tls-cert-file', cert, '--tls-key-file', key, '--tls-auth-clients', 'no']
  const more = ['--tls-port', `${tls}`, ...secure, '--unixsocket', path, '--requirepass', 'root']
  const { port } = await redis(t, ...more)
  const admin = new Redis({ port, host: '127.0.0.1', password: 'root', connectionName: 'admin' })
  t.teardown(() => admin.disconnect())
  await admin.call('ACL', 'SETUSER', 'app', 'on', '>secret', '~*', '&*', '+@all')
  return {
    port,
    tls,
    path,
    ca: readFileSync(cert),
    async ask(database, ...args) {
      const [, [, reply]] = (await admin
        .pipeline()
        .select(database)
        .call(...(args as [string]))
        .exec()) as [unknown, [unknown, unknown]]
      return reply
    },
  }
}

export async function io(options: RedisOptions, then?: (client: Redis) => unknown): Promise<Redis> {
  const client = kept(Reflect.construct(Redis, [options]) as Redis)
  await then?.(client)
  if (client.status !== 'ready' && !options.lazyConnect) await once(client, 'ready')
  return client
}

export type NodeOptions = NonNullable<Parameters<typeof createClient>[0]>

export async function node(
  options: NodeOptions,
  then?: (client: ReturnType<typeof createClient>) => unknown,
) {
  const client = kept(createClient(options) as ReturnType<typeof createClient>)
  await client.connect()
  return (await then?.(client)) ?? client
}

export const ioAt = ({ port }: Place, more: RedisOptions = {}) => ({
  port,
  host: '127.0.0.1',
  password: 'root',
  ...more,
})
export const nodeAt = ({ port }: Place, more: NodeOptions = {}): NodeOptions => ({
  socket: { port, host: '127.0.0.1' },
  password: 'root',
  ...more,
})

export function at({ port }: Place): Promise<Redis> {
  const client = kept(new Redis(`redis://app:secret@127.0.0.1:${port}/5`))
  return once(client, 'ready').then(() => client)
}

/** The connections that a server has, but for the one that asks. */
export function connectionsOf(text: unknown): Record<string, string>[] {
  return String(text)
    .trim()
    .split('\n')
    .map(line =>
      Object.fromEntries(line.split(' ').map(part => part.split('=') as [string, string])),
    )
    .filter(({ name }) => name !== 'admin')
}

/** Clients that are not closed yet. */
const clients = new Set<object>()

/** A client whose errors are heard, and which is closed when all tests of the file are done. */
export function kept<C extends object>(client: C): C {
  clients.add(client)
  ;(client as unknown as Redis).on('error', () => {})
  return client
}

/** Closes a client, in the words of its library. */
export function close(client: object): void {
  clients.delete(client)
  if ('disconnect' in client && 'status' in client) (client as Redis).disconnect()
  // One that never connected, or is closed, says so.
  else if ((client as ReturnType<typeof createClient>).isOpen !== false) {
    ;(client as ReturnType<typeof createClient>).destroy()
  }
}

/** Closes what is open still. */
export function closeClients(): void {
  for (const client of clients) close(client)
}

/** A session over a client, which is closed when the test is done. */
export function sessionOf(
  t: ExecutionContext,
  client: object,
  options: RedisTierOptions,
  host: Host,
): TierSession {
  const session = redisTier(client, options).open(host)
  t.teardown(() => session.close())
  return session
}
