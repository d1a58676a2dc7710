// What importing each entry of the built package costs: processes that do nothing else, less one that
// imports nothing, in turns; lru-cache for comparison. Median and least, of ES modules and of
// CommonJS. `--cpu` counts processor time, for a machine that is busy with other things.
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '21' },
    /** The folder whose package is measured. */
    root: { type: 'string', default: fileURLToPath(new URL('..', import.meta.url)) },
    cpu: { type: 'boolean', default: false },
    only: { type: 'string', default: '' },
  },
})
const entries = [
  '',
  '/lru-cache',
  '/lru-cache/shared',
  '/testing',
  '/keyv',
  '/cache-manager',
  '/nextjs',
  '/memoize',
  '/redis',
  '/router',
]
const names = ['', 'lru-cache', ...entries.map(entry => `breakwater${entry}`)].filter(
  name => name === '' || name.includes(values.only),
)
const ways = { import: name => `await import('${name}')`, require: name => `require('${name}')` }

/** Milliseconds that a process took. */
function once(way, name) {
  const type = way === 'import' ? 'module' : 'commonjs'
  const used =
    'const { user, system } = process.cpuUsage(); process._rawDebug((user + system) / 1000)'
  const code = `${name === '' ? '0' : ways[way](name)}; ${used}`
  const args = [`--input-type=${type}`, '--eval', code]
  const before = process.hrtime.bigint()
  const { status, stderr } = spawnSync(process.execPath, args, { cwd: values.root })
  const after = process.hrtime.bigint()
  if (status !== 0) return Number.NaN
  return values.cpu ? Number(stderr) : Number(after - before) / 1e6
}

const times = new Map()
for (let round = 0; round < Number(values.rounds); round++) {
  for (const way of Object.keys(ways)) {
    for (const name of names) {
      const key = `${way} ${name}`
      times.set(key, [...(times.get(key) ?? []), once(way, name)])
    }
  }
}
const median = list => list.sort((a, b) => a - b)[list.length >> 1]
const least = list => Math.min(...list)
for (const name of names.slice(1)) {
  const cells = Object.keys(ways).flatMap(way => {
    const [mine, empty] = [times.get(`${way} ${name}`), times.get(`${way} `)]
    return [median(mine) - median(empty), least(mine) - least(empty)].map(ms =>
      ms.toFixed(1).padStart(7),
    )
  })
  console.log(name.padEnd(28), cells.join(' '))
}
