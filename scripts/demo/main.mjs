// `npm run demo`: three Redis servers, two nodes in front of them, a fleet of clients and the dashboard, on
// this machine. Plays what goes wrong in production, each time without the nodes and with them, and says
// what was measured. `--short` does less of everything, `--keep` leaves it running, `--json` prints JSON.
import { commandLine, flag } from '../command-line.mjs'
import { scenes } from './scenes.mjs'
import { Stage } from './stage.mjs'
import { asTable } from './table.mjs'

const HELP = `npm run demo -- [options]

Plays what goes wrong in production on this machine, without nodes and with them, and says what was measured.

  --short  less of everything
  --keep   leaves it running, with traffic, until Ctrl+C
  --json   prints JSON

Exit codes: 0 it was played, 1 it ended early, 2 an option is wrong.`

/** How much of everything. */
const SIZES = {
  usual: { clients: 200, keys: 2000, seconds: 4 },
  short: { clients: 20, keys: 200, seconds: 1 },
}

const { values } = commandLine({
  help: HELP,
  options: { short: flag(), keep: flag(), json: flag() },
})
const { short, keep, json } = values
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
