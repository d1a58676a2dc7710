// `npm run demo`: three Redis servers, two nodes in front of them, a fleet of clients and the dashboard, on
// this machine. Plays what goes wrong in production, each time without the nodes and with them, and says
// what was measured. `--short` does less of everything, `--keep` leaves it running, `--json` prints JSON.
import { parseArgs } from 'node:util'
import { scenes } from './scenes.mjs'
import { Stage } from './stage.mjs'
import { asTable } from './table.mjs'

const FLAGS = { short: { type: 'boolean' }, keep: { type: 'boolean' }, json: { type: 'boolean' } }

/** How much of everything. */
const SIZES = {
  usual: { clients: 200, keys: 2000, seconds: 4 },
  short: { clients: 20, keys: 200, seconds: 1 },
}

function flags() {
  try {
    return parseArgs({ options: FLAGS }).values
  } catch (error) {
    console.error(`${error.message}\nThere are --short, --keep and --json.`)
    process.exit(2)
  }
}

const { short, keep, json } = flags()
const say = json ? () => {} : line => console.log(line)
const stage = new Stage(short ? SIZES.short : SIZES.usual, say)
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.once(signal, async () => {
    await stage.close()
    process.exit(0)
  })
}
try {
  await stage.open()
  const { clients, keys } = stage.size
  say(`Three Redis servers at ports ${stage.stores.map(({ port }) => port).join(', ')}.`)
  say(
    `Two nodes at ports ${stage.nodes.map(({ port }) => port).join(', ')}; ${clients} clients, ${keys} keys.`,
  )
  say(`The dashboard: ${stage.nodes[0].dashboard}\n`)
  const seen = []
  for (const { name, about, play } of scenes) {
    say(`${name}: ${about}`)
    const rows = await play(stage)
    say(`${asTable(rows)}\n`)
    seen.push({ name, about, rows })
  }
  if (json) console.log(JSON.stringify({ size: stage.size, scenes: seen }))
  if (keep)
    await stage.run(
      `It goes on, with traffic. The dashboard: ${stage.nodes[0].dashboard}\nStop it with Ctrl+C.`,
    )
} catch (error) {
  if (!stage.isClosed) {
    console.error(`The demo ended early: ${error.message}`)
    process.exitCode = 1
  }
} finally {
  await stage.close()
}
