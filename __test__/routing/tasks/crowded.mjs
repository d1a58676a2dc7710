// A process in which a worker ends, and that has too few descriptors for another one for a while: how
// many event loops it has open before and behind that.
import { closeSync, openSync, readdirSync, readlinkSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { createPool } from 'breakwater/routing'

function loops() {
  const target = name => {
    try {
      return readlinkSync(`/proc/self/fd/${name}`)
    } catch {
      return ''
    }
  }
  return readdirSync('/proc/self/fd').filter(name => target(name).includes('eventpoll')).length
}

const held = []

/** Takes all descriptors but two. */
function crowd() {
  try {
    for (;;) held.push(openSync('/dev/null'))
  } catch {
    for (const descriptor of held.splice(-2)) closeSync(descriptor)
  }
}

let deaths = 0
const pool = createPool({
  file: new URL('./tasks.mjs', import.meta.url),
  route: task => task.key,
  workers: 1,
  onWorkerDeath: () => {
    deaths++
    crowd()
  },
})
const echo = () => pool.run({ do: 'echo', key: 'k', value: 1 })
await echo()
const before = loops()
await pool.run({ do: 'die', key: 'k' }).catch(() => {})
while (deaths < 4) await pause(5)
for (const descriptor of held.splice(0)) closeSync(descriptor)
await echo()
console.log(JSON.stringify({ before, after: loops(), deaths }))
await pool.close()
