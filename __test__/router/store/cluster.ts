// A Redis Cluster of real servers on this machine, of which a test says how many.
import { setTimeout as sleep } from 'node:timers/promises'
import type { ExecutionContext } from 'ava'
import { freePort } from '../../../scripts/free-port.mjs'
import { installed, Raw, redis, type Served } from '../support.ts'

/** Whether there is a Redis that can be a cluster. */
export const hasCluster = installed('redis-server')

const SLOTS = 16_384
/** Nor is a server that is slow taken for gone: once servers agree they wait for long. */
const PATIENCE = ['CONFIG', 'SET', 'cluster-node-timeout', '30000']
const FLAGS = [
  ['--cluster-enabled', 'yes'],
  ['--cluster-config-file', 'nodes.conf'],
  ['--cluster-node-timeout', '1000'],
  ['--cluster-replica-validity-factor', '0'],
  // A busy machine is no reason for a failover: a test says when there is one.
  ['--cluster-replica-no-failover', 'yes'],
  ['--cluster-require-full-coverage', 'no'],
  ['--repl-diskless-sync-delay', '0'],
].flat()

/** A server of a cluster. */
export interface Member extends Served {
  id: string
  raw: Raw
}

/** A cluster: the masters first, in the order of their slots, and then a replica for each. */
export interface Cluster {
  masters: Member[]
  replicas: Member[]
  /** As a node takes it. */
  url: string
}

/** Waits until something is so. */
export async function until(isTrue: () => Promise<boolean> | boolean): Promise<void> {
  while (!(await isTrue())) await sleep(10)
}

/** Starts a server that is in no cluster yet. */
export async function member(t: ExecutionContext, ...flags: string[]): Promise<Member> {
  const served = await started(t, flags)
  const raw = await Raw.open(t, served.port)
  const id = bulk(await raw.send('CLUSTER', 'MYID'))
  return { ...served, id, raw }
}

/** The port by which servers speak to each other may be another one's by then. */
async function started(t: ExecutionContext, flags: string[], tries = 5): Promise<Served> {
  try {
    return await redis(t, ...FLAGS, '--cluster-port', `${await freePort()}`, ...flags)
  } catch (error) {
    if (tries === 1) throw error
    return started(t, flags, tries - 1)
  }
}

/** Starts a cluster of so many masters, each with so many replicas, that agree. */
export async function cluster(t: ExecutionContext, masters = 3, each = 1): Promise<Cluster> {
  const all = await Promise.all(Array.from({ length: masters * (1 + each) }, () => member(t)))
  const [first] = all
  for (const [at, one] of all.entries()) {
    await one.raw.send('CLUSTER', 'SET-CONFIG-EPOCH', `${at + 1}`)
  }
  const leads = all.slice(0, masters)
  for (const [at, one] of leads.entries()) {
    const [from, to] = [at, at + 1].map(n => Math.floor((n * SLOTS) / masters))
    await one.raw.send('CLUSTER', 'ADDSLOTSRANGE', `${from}`, `${to! - 1}`)
  }
  await acquaint(all.slice(1), first!, all)
  const replicas = all.slice(masters)
  for (const [at, one] of replicas.entries()) {
    await until(
      async () =>
        (await one.raw.send('CLUSTER', 'REPLICATE', leads[at % masters]!.id)) === '+OK\r\n',
    )
  }
  const made = { masters: leads, replicas, url: `redis-cluster://${leads.map(place).join(',')}` }
  await agreed(made)
  for (const { raw } of all) await raw.send(...PATIENCE)
  return made
}

/** Waits until all servers of a cluster take it for whole, and replicas follow their masters. */
export async function agreed({ masters, replicas }: Cluster): Promise<void> {
  const all = [...masters, ...replicas]
  await until(async () => (await Promise.all(all.map(isWhole))).every(Boolean))
  const linked = async ({ raw }: Member) =>
    (await raw.send('INFO', 'replication')).includes('master_link_status:up')
  await until(async () => (await Promise.all(replicas.map(linked))).every(Boolean))
  const shards = await Promise.all(all.map(({ raw }) => raw.send('CLUSTER', 'SLOTS')))
  if (
    shards.some(one => (one.match(/\$40\r\n/g) ?? []).length < masters.length + replicas.length)
  ) {
    await sleep(10)
    await agreed({ masters, replicas, url: '' })
  }
}

/** Whether a server takes the cluster for whole: before, it takes no key of a slot that comes to it. */
async function isWhole({ raw }: Member): Promise<boolean> {
  const info = await raw.send('CLUSTER', 'INFO')
  return info.includes('cluster_state:ok') && info.includes(`cluster_slots_ok:${SLOTS}`)
}

/** Moves a slot with its keys to another master, as `redis-cli --cluster reshard` does. */
export async function move(slot: number, from: Member, to: Member, all: Member[]): Promise<void> {
  const order = async (one: Member, ...words: string[]) => {
    const reply = await one.raw.send('CLUSTER', 'SETSLOT', `${slot}`, ...words)
    // One whose last slot has gone is a replica of its new owner already.
    if (reply !== '+OK\r\n' && !/only with masters/.test(reply))
      throw new Error(`SETSLOT ${slot} ${words.join(' ')}: ${reply}`)
  }
  await order(to, 'IMPORTING', from.id)
  await order(from, 'MIGRATING', to.id)
  for (;;) {
    const keys = words(await from.raw.send('CLUSTER', 'GETKEYSINSLOT', `${slot}`, '10'))
    if (keys.length === 0) break
    await migrate(from, to, keys)
  }
  for (const one of [to, from, ...all.filter(one => one !== to && one !== from)]) {
    await order(one, 'NODE', to.id)
  }
}

/** Moves keys to a server; one that does not take the cluster for whole has taken none of them. */
async function migrate(from: Member, to: Member, keys: string[], tries = 600): Promise<void> {
  const target = ['127.0.0.1', `${to.port}`, '', '0', '5000']
  const reply = await from.raw.send('MIGRATE', ...target, 'KEYS', ...keys)
  if (!reply.startsWith('-')) return
  if (!reply.includes('CLUSTERDOWN') || tries === 1) {
    throw new Error(`MIGRATE ${keys.join(' ')}: ${reply}${await to.raw.send('CLUSTER', 'INFO')}`)
  }
  await sleep(100)
  await migrate(from, to, keys, tries - 1)
}

/** Waits until all servers say the same of who has which slots. */
export async function settled(all: readonly Member[]): Promise<void> {
  const said = async ({ raw }: Member) => {
    const lines = bulk(await raw.send('CLUSTER', 'NODES'))
      .trim()
      .split('\n')
    return lines.map(line => [line.slice(0, 40), ...line.split(' ').slice(8)].join(' ')).sort()
  }
  await until(async () => {
    const views = await Promise.all(all.map(said))
    return views.every(view => view.join() === views[0]!.join())
  })
}

/** Starts a server without slots that all others of a cluster know. */
export async function join(t: ExecutionContext, made: Cluster): Promise<Member> {
  const added = await member(t)
  const all = [added, ...made.masters, ...made.replicas]
  await acquaint([added], made.masters[0]!, all)
  // A server knows others before it knows their slots, and its state is `ok` meanwhile, since no test
  // asks for full coverage.
  await until(() => isWhole(added))
  await settled(all)
  await added.raw.send(...PATIENCE)
  return added
}

/** Has a replica take the place of its master, which may be gone. */
export async function promote({ raw }: Member, ...how: string[]): Promise<void> {
  const leads = async () => (await raw.send('ROLE')).includes('master')
  while (!(await leads())) {
    const reply = await raw.send('CLUSTER', 'FAILOVER', ...how)
    // Asked again, it would begin anew: on a busy machine again and again. By itself it gives up after 5 s.
    const end = performance.now() + (reply.startsWith('-') ? 10 : 5_500)
    while (performance.now() < end && !(await leads())) await sleep(10)
  }
}

/** How long servers may take to get to know each other before they are introduced anew, in milliseconds. */
const INTRODUCTION = 5_000

/**
 * Introduces servers to another one of a cluster, until all know all. Those that are busy forget whom they were
 * introduced to, if that does not speak to them within a second.
 */
async function acquaint(
  some: readonly Member[],
  other: Member,
  all: readonly Member[],
): Promise<void> {
  const known = () => Promise.all(all.map(({ raw }) => knownTo(raw)))
  for (;;) {
    for (const one of some) await meet(one, other)
    for (const end = performance.now() + INTRODUCTION; performance.now() < end; await sleep(10)) {
      if ((await known()).every(count => count === all.length)) return
    }
  }
}

/** Introduces a server to another one of a cluster. */
async function meet(one: Member, other: Member): Promise<void> {
  const told = await other.raw.send('CONFIG', 'GET', 'cluster-port')
  const bus = /cluster-port\r\n\$\d+\r\n(\d+)/.exec(told)![1]!
  await one.raw.send('CLUSTER', 'MEET', '127.0.0.1', `${other.port}`, bus)
}

const place = ({ port }: Served) => `127.0.0.1:${port}`

async function knownTo(raw: Raw): Promise<number> {
  const info = await raw.send('CLUSTER', 'INFO')
  return Number(/cluster_known_nodes:(\d+)/.exec(info)?.[1])
}

/** The text of a bulk reply. */
export function bulk(reply: string): string {
  return reply.slice(reply.indexOf('\r\n') + 2).replace(/\r\n$/, '')
}

/** The texts of an array of them, none of which has lines. */
function words(reply: string): string[] {
  return reply
    .split('\r\n')
    .slice(1, -1)
    .filter((_, at) => at % 2 === 1)
}
