// `npm run faults`: plays one fault after the other on a node and its store, while clients ask steadily and
// look at every reply. It fails if a client hangs, a reply is wrong, the node ends or closes a connection over
// a request that it has received, or if it does not go back to where it was. With `--for`, a soak: faults in random order, clients and keys that come and go. With
// `--replacements`, no load: how long it takes to replace a worker.
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { CLOCK, faults, missing } from './faults.mjs'
import { Field } from './field.mjs'
import { Load } from './load.mjs'
import { judge } from './partings.mjs'
import { medianOf, replacements } from './replacement.mjs'

const { values } = parseArgs({
  options: {
    mode: { type: 'string', default: 'threads' },
    rate: { type: 'string', default: '10000' },
    clients: { type: 'string', default: '200' },
    each: { type: 'string', default: '3000' },
    deadline: { type: 'string', default: '1000' },
    for: { type: 'string' },
    replacements: { type: 'string' },
    only: { type: 'string', multiple: true },
  },
})
const [rate, clients, each, deadline] = ['rate', 'clients', 'each', 'deadline'].map(name =>
  whole(name),
)
const names = values.only ?? Object.keys(faults).filter(name => !(name in missing))
const unknown = names.find(name => !(name in faults))
if (unknown !== undefined)
  stop(`there is no fault '${unknown}'; there are ${Object.keys(faults).join(', ')}`)
const unplayed = names.find(name => name in missing)
if (unplayed !== undefined) stop(`'${unplayed}' cannot be played: ${missing[unplayed]}`)
if (!/^(threads|processes)$/.test(values.mode)) stop("--mode must be 'threads' or 'processes'")
const duration = values.for === undefined ? undefined : milliseconds(values.for)

if (values.replacements !== undefined) await timeReplacements(whole('replacements'))

/** How long it may take until nobody is disturbed any more, in milliseconds. */
const RECOVERY = 30_000
/** What memory may grow by, as a share and in KB, and how many descriptors and timers. */
const GROWTH = { share: 0.25, memory: 32 * 1024, descriptors: 8, timers: 5 }

const field = new Field(values.mode, deadline)
field.setsClock = names.includes(CLOCK)
const failures = []
try {
  await field.open()
  const load = new Load(field, { clients, rate, deadline })
  await calm(load)
  await sleep(each)
  // What is taken once and kept, as each fault takes it, is taken by then.
  let before = await field.taken()
  say('before', told(before))
  if (duration === undefined) await round(load, names)
  else before = await soak(load, duration, before)
  await calm(load)
  await sleep(Math.max(each, 1000))
  const after = await settled(before)
  say('after', told(after))
  failures.push(...excess(before, after))
  await load.stop()
  const { counts } = load
  say('counts', JSON.stringify({ ...counts, longest: Math.round(counts.longest) }))
  for (const [words, count] of load.errors) say('errors', `${count} of ${words}`)
  if (counts.hung + counts.wrong > 0) failures.push(...load.faults)
  const code = await field.close()
  if (code !== 0) failures.push(`the node ended with ${code}: ${field.said.slice(-2000)}`)
} catch (error) {
  failures.push(`${error.stack}\nthe node said: ${field.said?.slice(-2000)}`)
  await field.close()
}
for (const failure of failures) say('FAILED', failure)
say(failures.length === 0 ? 'passed' : 'FAILED', `${values.mode}, ${rate} requests a second`)
process.exit(failures.length === 0 ? 0 : 1)

/** Prints how long it takes until a worker that has failed is replaced, and ends. */
async function timeReplacements(count) {
  const field = new Field(values.mode, deadline, { workers: 1 })
  try {
    await field.open()
    const all = await replacements(field, count)
    say('replaced after', `${all.map(ms => ms.toFixed(0)).join(', ')} ms`)
    say('median', `${medianOf(all).toFixed(0)} ms, ${values.mode}`)
  } finally {
    await field.close()
  }
  process.exit(0)
}

/** Plays faults one after the other. */
async function round(load, names) {
  for (const name of names) {
    const { quiet = false, drains = false, play = faults[name] } = faults[name]
    field.closings.forget()
    load.partings = []
    const { sent, hung, wrong } = load.counts
    const [disturbed, known, start] = [load.disturbed, load.disturbances, performance.now()]
    const before = load.counts.errors + load.counts.refused
    const { replaced } = (await field.status()).workers
    await play(field, each)
    const played = Math.round(performance.now() - start)
    const recovered = await calm(load)
    const errors = load.disturbed - disturbed
    const again = (await field.status()).workers.replaced - replaced
    const words = [
      `${load.counts.sent - sent} requests, ${errors} disturbed`,
      `${played} ms and ${recovered} to recover`,
    ]
    if (again > 0) words.push(`${again} replaced`)
    if (drains) words.push(await drained(load))
    say(name, words.join(', '))
    const bad = load.counts.hung + load.counts.wrong - hung - wrong
    if (bad > 0) failures.push(`${name}: ${bad} requests hung or had wrong replies`)
    const failed = load.counts.errors + load.counts.refused - before
    if (drains && failed > 0) failures.push(`${name}: ${failed} requests failed`)
    if (quiet && errors > 0) failures.push(`${name} disturbed clients: ${since(known, load)}`)
    if (field.node.exitCode !== null) throw new Error(`the node ended: ${name}`)
  }
}

/** What has disturbed clients that was not known. */
function since(known, { disturbances }) {
  const more = [...disturbances].map(([what, count]) => [count - (known.get(what) ?? 0), what])
  return more
    .filter(([count]) => count > 0)
    .map(([count, what]) => `${count} of ${what}`)
    .join(', ')
}

/** Looks at the connections that a drain has closed. */
async function drained(load) {
  const closed = load.partings.length
  const { dropped, cut, late } = await judge(field.closings, load.partings.splice(0))
  if (dropped > 0)
    failures.push(`${dropped} connections were closed over requests that were received`)
  if (cut > 0) failures.push(`${cut} connections were closed otherwise than by the drain`)
  return `${closed} connections closed, ${late} requests late, ${dropped} dropped`
}

/** Faults in random order for so long; what was taken after the first quarter. */
async function soak(load, ms, first) {
  const start = performance.now()
  let settled
  while (performance.now() - start < ms) {
    load.churn(Math.ceil(clients / 10))
    await round(load, [names[Math.floor(Math.random() * names.length)]])
    const passed = performance.now() - start
    if (settled === undefined && passed > ms / 4) settled = await field.taken()
    say(`${Math.round(passed / 1000)} s`, told(await field.taken()))
  }
  return settled ?? first
}

/** Done when nobody has been disturbed for a while; how long that took. */
async function calm(load) {
  const start = performance.now()
  for (let since = start, seen = load.disturbed; performance.now() - since < 500; await sleep(20)) {
    if (seen !== load.disturbed) [since, seen] = [performance.now(), load.disturbed]
    if (performance.now() - start > RECOVERY) throw new Error('clients are still disturbed')
  }
  return Math.max(0, Math.round(performance.now() - start - 500))
}

/** What is taken once it is no more than before, or after a while. */
async function settled(before) {
  for (const end = performance.now() + RECOVERY; ; await sleep(200)) {
    const now = await field.taken()
    if (excess(before, now).length === 0 || performance.now() > end) return now
  }
}

/** What has grown. */
function excess(before, after) {
  const grown = []
  const most = before.memory * (1 + GROWTH.share) + GROWTH.memory
  if (after.memory > most) grown.push(`memory has grown to ${after.memory} KB`)
  for (const what of ['descriptors', 'timers']) {
    const more = after[what] - before[what]
    if (more > GROWTH[what]) grown.push(`there are ${more} ${what} more`)
  }
  return grown
}

function told({ memory, descriptors, timers }) {
  return `${Math.round(memory / 1024)} MB, ${descriptors} descriptors, ${timers} timers`
}

function say(what, words) {
  console.log(`${what.padEnd(29)} ${words}`)
}

function whole(name) {
  if (/^[1-9]\d{0,6}$/.test(values[name])) return Number(values[name])
  stop(`--${name} must be a whole number from 1 on`)
}

/** A duration as '90s', '30m' or '1h'. */
function milliseconds(text) {
  const [, count, unit] = /^(\d+)(s|m|h)$/.exec(text) ?? []
  if (count === undefined) stop("--for must be a duration, as '90s', '30m' or '1h'")
  return Number(count) * { s: 1000, m: 60_000, h: 3_600_000 }[unit]
}

function stop(why) {
  console.error(why)
  process.exit(2)
}
