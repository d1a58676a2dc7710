// `npm run faults`: plays one fault after the other on a node and its store, while clients ask steadily and
// look at every reply. It fails if a client hangs, a reply is wrong, the node ends or closes a connection over
// a request that it has received, or if it does not go back to where it was. With `--for`, a soak: faults in random order, clients and keys that come and go. With
// `--replacements`, no load: how long it takes to replace a worker.
import { setTimeout as sleep } from 'node:timers/promises'
import { commandLine, duration, oneOf, refuse, repeated, text, whole } from '../command-line.mjs'
import { CLOCK, faults, missing } from './faults.mjs'
import { Field } from './field.mjs'
import { Load } from './load.mjs'
import { judge } from './partings.mjs'
import { medianOf, replacements } from './replacement.mjs'

const HELP = `npm run faults -- [options]

Plays faults on a node and its store while clients ask, and looks at every reply.

  --mode NAME       what the workers are: threads or processes (threads)
  --rate N          requests a second in all (10000)
  --clients N       by how many clients (200)
  --each N          how many milliseconds a fault lasts (3000)
  --deadline N      how many milliseconds a request may wait for the store (1000)
  --only NAME       a fault; may be repeated (all)
  --for DURATION    a soak for so long, as 90s, 30m or 1h (each fault once)
  --replacements N  no load: times how long it takes to replace a worker, so many times

Faults: ${Object.keys(faults).join(', ')}.
Exit codes: 0 nothing was wrong, 1 something was, 2 an option is wrong.`

const { values } = commandLine({
  help: HELP,
  options: {
    mode: oneOf(['threads', 'processes'], 'threads'),
    rate: whole(10_000),
    clients: whole(200),
    each: whole(3000),
    deadline: whole(1000),
    only: repeated(text()),
    for: duration(),
    replacements: whole(),
  },
})
const { rate, clients, each, deadline } = values
const names = values.only ?? Object.keys(faults).filter(name => !(name in missing))
const unknown = names.find(name => !Object.hasOwn(faults, name))
if (unknown !== undefined)
  refuse(`there is no fault '${unknown}'; there are ${Object.keys(faults).join(', ')} (--only)`)
const unplayed = names.find(name => name in missing)
if (unplayed !== undefined) refuse(`'${unplayed}' cannot be played: ${missing[unplayed]}`)

if (values.replacements !== undefined) await timeReplacements(values.replacements)

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
  if (values.for === undefined) await round(load, names)
  else before = await soak(load, values.for, before)
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
