// A worker that is a process: a node of its own behind sockets that it shares with its kin.
import { NativeDriverError } from '../base/errors.ts'
import { setTimeout } from '../base/runtime.ts'
import {
  createRouter,
  type NativeRouter,
  reloadRouter,
  setStoreTls,
  setTls,
} from '../native/router.ts'
import { answersOf, type Habits } from './answers.ts'
import { disconnect } from './driver.ts'
import type { Share } from './entrances.ts'
import type { Edition, News, Order } from './messages.ts'
import { serveNatively } from './sockets.ts'
import type { Report } from './stats.ts'
import { hooksFor, type Line, raise, tellFaults, tellHooks, work } from './work.ts'

/** What the first process hands to a worker. */
export interface ProcessAssignment {
  edition: Edition
  /** The listening sockets, by this process's own descriptors. */
  shares: Share[]
  habits: Habits
}

/** How often is told what was counted, in milliseconds. */
const COUNTED = 250

// What ends or reloads a node is told to its first process, which tells this one; a terminal and a
// service manager tell all of them.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {})
// Whoever reads what it says may go.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})
// Whoever has no first process any more ends as well.
process.once('disconnect', () => process.exit(1))
// What comes while nobody hears messages is lost: orders are kept until somebody obeys.
const early: Order[] = []
let obey = (order: Order): void => void early.push(order)
process.once('message', (assignment: ProcessAssignment) => {
  process.on('message', (order: Order) => obey(order))
  serve(assignment).catch(raise)
})

async function serve({ edition, shares, habits }: ProcessAssignment): Promise<void> {
  const { checked, tls, storeTls } = edition
  const router = createRouter(checked)
  if (tls !== undefined) setTls(router.id, tls)
  if (storeTls !== undefined) setStoreTls(router.id, storeTls)
  const [{ address }] = shares as [Share]
  router.setAddress(address.address, address.port)
  const line = lineOf(router)
  const answer = answersOf(router, line.tell, habits)
  // Nobody is served past the hooks.
  const hooks = await hooksFor(line, edition.hooks)
  const served = serveNatively(router.id, [], tellFaults(line), tellHooks(line), hooks)
  if (served === undefined) throw new NativeDriverError()
  work(line, {
    driver: 'native',
    served,
    hooks,
    answer,
    warm: served.warm,
    enter() {
      served.enter(shares)
      // Who begins next may begin with what this one has read.
      line.tell(counted(router))
    },
    reload: next => disconnect(router.id, reloadRouter(router.id, next.checked, next)),
  })
  const count = () => {
    line.tell(counted(router))
    setTimeout(count, COUNTED)
  }
  count()
}

function lineOf(router: NativeRouter): Line {
  return {
    tell: news => void process.send!(news),
    hear(told) {
      for (const order of early.splice(0)) told(order)
      obey = told
    },
    leave: () => void process.send!(counted(router), () => process.exit(0)),
  }
}

function counted(router: NativeRouter): News {
  const report = router.stats(1) as unknown as Report
  return { kind: 'counted', report, noted: router.audit(), journal: router.journal() }
}
