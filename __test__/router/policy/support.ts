// A node whose users have rules, beside a Redis whose users have the same.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import type { RouterUser } from '../../../src/router/index.ts'
import { folderOf } from '../../helpers/folders.ts'
import { Raw, redis, type Served, serve } from '../support.ts'

/** Starts a node whose configuration has these users, in front of this store if there is one. */
export async function guarded(
  t: ExecutionContext,
  users: RouterUser[],
  store?: Served,
): Promise<Served> {
  const config = {
    threads: 1,
    users,
    ...(store === undefined
      ? {}
      : { store: `redis://127.0.0.1:${store.port}`, storeTimeout: '1m' }),
  }
  const file = join(folderOf(t, 'policy'), 'breakwater.config.json')
  writeFileSync(file, JSON.stringify(config))
  return serve(t, '--config', file)
}

/** A Redis whose users have the rules of these, and their names as passwords. */
export async function asRedis(t: ExecutionContext, rules: Record<string, string>): Promise<Served> {
  const server = await redis(t)
  const admin = await Raw.open(t, server.port)
  for (const [name, text] of Object.entries(rules)) {
    const said = await admin.send(
      'ACL',
      'SETUSER',
      name,
      'reset',
      'on',
      `>${name}`,
      ...text.split(' '),
    )
    t.is(said, '+OK\r\n', text)
  }
  return server
}

/** Users with these rules, and their names as passwords; `chief` may do everything. */
export function usersOf(rules: Record<string, string>): RouterUser[] {
  const users = Object.entries(rules).map(([name, acl]) => ({ name, password: name, acl }))
  return [...users, { name: 'chief', password: 'chief', permissions: ['all'] }]
}

/** A connection of a user whose name is its password. */
export async function as(t: ExecutionContext, name: string, { port }: Served): Promise<Raw> {
  const client = await Raw.open(t, port)
  t.is(await client.send('AUTH', name, name), '+OK\r\n')
  return client
}
