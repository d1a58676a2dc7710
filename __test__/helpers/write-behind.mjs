// A process with writes pending, for tests of how it ends. Its arguments: the modules that write
// behind, then what it does.
import { setImmediate } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'

const [modules, scenario] = process.argv.slice(2)
const say = text => process.stdout.write(`${text}\n`)
const timers = {
  now: () => performance.now(),
  after(ms, f) {
    const timer = setTimeout(f, Math.min(ms, 2 ** 31 - 1))
    return () => clearTimeout(timer)
  },
}

const written = entries => say(`wrote ${entries.map(({ key }) => key)}`)
const never = () => {
  say('writing')
  return new Promise(() => {})
}
const onWriteError = (error, entries) =>
  say(`gave up ${entries.map(({ key }) => key)}: ${error.code}`)
const late = { maxDelay: '1h' }

/** Writer and options by scenario. */
const scenarios = {
  alone: [written, late],
  slow: [entries => setImmediate().then(() => written(entries)), late],
  off: [written, { ...late, flushOnSignal: false }],
  other: [written, { ...late, flushOnSignal: ['SIGHUP'] }],
  written: [written, late],
  ends: [written, { maxDelay: 1 }],
  hangs: [never, { ...late, closeTimeout: 20, onWriteError }],
  impatient: [never, { ...late, closeTimeout: '1h' }],
  listens: [written, late],
  once: [written, late],
}

const behinds = []
for (const [i, module] of modules.split(',').entries()) {
  const loaded = await import(pathToFileURL(module).href)
  const { WriteBehind } = loaded.WriteBehind ? loaded : loaded.default
  const behind = new WriteBehind(...scenarios[scenario], timers)
  behind.add({ kind: 'set', key: `a${i}`, value: 1 })
  behinds.push(behind)
}
if (scenario === 'written') await Promise.all(behinds.map(behind => behind.flush()))
if (scenario === 'listens' || scenario === 'once') {
  process[scenario === 'once' ? 'once' : 'on']('SIGTERM', async () => {
    say('heard')
    await Promise.all(behinds.map(behind => behind.close()))
    // Long after what the signal was waited for is written.
    setTimeout(() => process.exit(7), 50)
  })
}
say(`listeners ${process.listenerCount('SIGTERM')}`)
say('ready')
if (scenario !== 'ends') setInterval(() => {}, 1 << 30)
