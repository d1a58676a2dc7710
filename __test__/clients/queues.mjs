// Everyday work with BullMQ against a server: prints what came of it, a line each.
//
//     node queues.mjs PORT
//
// Two servers that are the same to a client let the same come of it: nothing printed depends on the
// time, or on which worker was quicker.
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { FlowProducer, Queue, QueueEvents, Worker } from 'bullmq'
import { Redis } from 'ioredis'

const port = Number(process.argv[2])
const connection = { host: '127.0.0.1', port, maxRetriesPerRequest: null }
/** All that has to be closed, the last first. */
const open = []

const say = (what, is) => console.log(`${what} -> ${JSON.stringify(is)}`)

/** Keeps what is to be closed; its errors would end the program. */
function kept(one) {
  one.on('error', () => {})
  one.setMaxListeners(0)
  open.unshift(one)
  return one
}

const queueOf = name => kept(new Queue(name, { connection }))
const workerOf = (name, work, options = {}) =>
  kept(new Worker(name, work, { connection, drainDelay: 1, ...options }))

/** The queue's events, from the first on. */
async function eventsOf(name) {
  const events = kept(new QueueEvents(name, { connection, lastEventId: '0' }))
  await events.waitUntilReady()
  return events
}

/** What `count` jobs came to, by their names. */
async function outcomes(queue, jobs, events) {
  const came = await Promise.all(
    jobs.map(async job => {
      try {
        return [job.name, await job.waitUntilFinished(events)]
      } catch (error) {
        return [job.name, `failed: ${error.message}`]
      }
    }),
  )
  say(`${queue.name}: outcomes`, came.sort())
  say(
    `${queue.name}: counts`,
    await queue.getJobCounts('completed', 'failed', 'waiting', 'delayed'),
  )
}

async function severalAtOnce() {
  const [queue, events] = [queueOf('several'), await eventsOf('several')]
  for (let n = 0; n < 3; n++) {
    workerOf('several', async job => job.data.n * 2, { concurrency: 10 })
  }
  const jobs = await queue.addBulk(
    Array.from({ length: 100 }, (_, n) => ({
      name: `job ${String(n).padStart(3, '0')}`,
      data: { n },
    })),
  )
  await outcomes(queue, jobs, events)
}

async function delayedAndRanked() {
  const [queue, events] = [queueOf('ranked'), await eventsOf('ranked')]
  await queue.pause()
  const jobs = [
    await queue.add('last', {}, { priority: 9 }),
    await queue.add('first', {}, { priority: 1 }),
    await queue.add('second', {}, { priority: 2 }),
  ]
  const order = []
  workerOf('ranked', async job => void order.push(job.name))
  say('paused', [await queue.isPaused(), await queue.getJobCounts('paused', 'prioritized')])
  await queue.resume()
  await outcomes(queue, jobs, events)
  say('in the order of their ranks', order)
  const delayed = await queue.add('delayed', {}, { delay: 3_600_000 })
  say('delayed', await delayed.getState())
  await delayed.changeDelay(20)
  await delayed.waitUntilFinished(events)
  const moved = await queue.add('moved', {}, { delay: 3_600_000 })
  await moved.promote()
  await moved.waitUntilFinished(events)
  say('promoted', await moved.getState())
}

async function tried() {
  const [queue, events] = [queueOf('tried'), await eventsOf('tried')]
  workerOf('tried', async job => {
    await job.updateProgress(job.attemptsMade * 10)
    await job.log(`attempt ${job.attemptsMade}`)
    if (job.attemptsMade < job.data.fails) throw new Error(`no, ${job.attemptsMade}`)
    return job.attemptsMade
  })
  const backoff = { type: 'exponential', delay: 5 }
  const jobs = [
    await queue.add('twice', { fails: 2 }, { attempts: 3, backoff }),
    await queue.add('never', { fails: 9 }, { attempts: 3, backoff }),
  ]
  await outcomes(queue, jobs, events)
  const failed = (await queue.getFailed())[0]
  say('logs', (await queue.getJobLogs(failed.id)).logs)
  say('progress', failed.progress)
  await failed.updateData({ fails: 0 })
  await failed.retry()
  while ((await failed.getState()) !== 'completed') await sleep(5)
  say('retried', (await queue.getJob(failed.id)).returnvalue)
}

async function repeated() {
  const queue = queueOf('repeated')
  let times = 0
  const enough = new Promise(resolve => {
    workerOf('repeated', async () => {
      if (++times === 3) resolve()
    })
  })
  await queue.upsertJobScheduler('often', { every: 50 }, { name: 'tick', data: {} })
  await enough
  say(
    'schedulers',
    (await queue.getJobSchedulers()).map(({ key, every }) => [key, Number(every)]),
  )
  say('removed', await queue.removeJobScheduler('often'))
  say('schedulers', await queue.getJobSchedulersCount())
}

async function flows() {
  const events = await eventsOf('parents')
  const flow = kept(new FlowProducer({ connection }))
  workerOf('children', async job => job.data.n)
  workerOf('parents', async job => {
    const values = Object.values(await job.getChildrenValues())
    return values.reduce((sum, value) => sum + value, 0)
  })
  const { job } = await flow.add({
    name: 'sum',
    queueName: 'parents',
    children: [1, 2, 3, 4].map(n => ({ name: `child ${n}`, queueName: 'children', data: { n } })),
  })
  say('the sum of the children', await job.waitUntilFinished(events))
}

async function told() {
  const [queue, events] = [queueOf('told'), await eventsOf('told')]
  const heard = []
  for (const event of ['added', 'waiting', 'active', 'progress', 'completed', 'drained']) {
    events.on(event, () => heard.push(event))
  }
  const drained = once(events, 'drained')
  workerOf('told', async job => {
    await job.updateProgress(50)
    return 'done'
  })
  const job = await queue.add('job', {}, { jobId: 'own' })
  say('its own number', [job.id, (await queue.add('job', {}, { jobId: 'own' })).id])
  await job.waitUntilFinished(events)
  await drained
  say('heard', [...new Set(heard)].sort())
}

async function obliterated() {
  const queue = queueOf('gone')
  await queue.addBulk(Array.from({ length: 50 }, (_, n) => ({ name: `${n}`, data: {} })))
  say('before', await queue.count())
  const limited = await queue.getJobs(['waiting'], 0, 4, true)
  say(
    'some of them',
    limited.map(({ name }) => name),
  )
  await limited[0].remove()
  await queue.drain()
  say('drained', await queue.count())
  await queue.add('one more', {})
  await queue.obliterate()
  const raw = kept(new Redis(port, '127.0.0.1'))
  say('keys left', await raw.keys('bull:gone:*'))
}

const raw = new Redis(port, '127.0.0.1')
raw.on('error', () => {})
await raw.flushall()
for (const part of [severalAtOnce, delayedAndRanked, tried, repeated, flows, told, obliterated]) {
  console.log(`# ${part.name}`)
  await part()
}
for (const one of open) await (one instanceof Redis ? one.quit() : one.close())
await raw.flushall()
await raw.quit()
