// The demo, played short with real servers: what it says was seen, and that nothing of it stays behind.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { installed } from '../router/support.ts'

const MAIN = fileURLToPath(new URL('../../scripts/demo/main.mjs', import.meta.url))
const withRedis = installed('redis-server') ? test.serial : test.skip

interface Told {
  size: { clients: number }
  scenes: { name: string; rows: { figure: string; without: string; with: string }[] }[]
}

function play(t: ExecutionContext, ...flags: string[]) {
  const child = spawn(process.execPath, [MAIN, ...flags])
  t.teardown(() => child.kill('SIGKILL'))
  return child
}

/** Whether somebody listens at a port. */
function isOpen(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}

withRedis('each scene is measured without the nodes and with them', async t => {
  t.timeout(300_000)
  const child = play(t, '--short', '--json')
  const [printed, faults] = await Promise.all([text(child.stdout), text(child.stderr)])
  t.is(faults, '')
  const { scenes, size } = JSON.parse(printed) as Told
  const row = (scene: string, figure: RegExp) => {
    const { rows } = scenes.find(({ name }) => name === scene)!
    const found = rows.find(row => figure.test(row.figure))!
    return [found.without, found.with].map(text => Number.parseFloat(text.replace(/,/g, '')))
  }
  t.deepEqual(
    scenes.map(({ name }) => name),
    ['Deploy storm', 'Hot key', 'Stampede', "A store's death", 'Cold start', 'A quiet day'],
  )
  t.deepEqual(row('Deploy storm', /new connections/), [3 * size.clients, 0])
  const [stampede, joined] = row('Stampede', /reached a store/)
  t.is(stampede, size.clients)
  t.true(joined! <= 2, 'one read for each node')
  const [failed, kept] = row("A store's death", /failed/)
  t.true(failed! > 10)
  t.is(kept, 0, 'what was read before is given while the store is away')
  t.is(row('Cold start', /^reads/)[1], 0)
})

withRedis('what is left running ends with Ctrl+C, all of it', async t => {
  t.timeout(300_000)
  const child = play(t, '--short', '--keep')
  let printed = ''
  child.stdout.on('data', chunk => (printed += chunk))
  while (!/It goes on/.test(printed)) await once(child.stdout, 'data')
  const ports = [...printed.matchAll(/ports ([\d, ]+)/g)].flatMap(([, list]) =>
    list!.split(', ').map(Number),
  )
  const page = new URL(/http:\S+/.exec(printed)![0])
  t.is((await fetch(page)).status, 200)
  t.is(ports.length, 5)
  const exited = once(child, 'exit')
  child.kill('SIGINT')
  t.deepEqual(await exited, [0, null])
  for (const port of [...ports, Number(page.port)]) t.false(await isOpen(port), `${port}`)
})

test('a flag that there is not is told, with those that there are', async t => {
  t.timeout(120_000)
  const wrong = play(t, '--shrot')
  t.regex(await text(wrong.stderr), /--shrot.*\n.*--short, --keep and --json/s)
  t.is(wrong.exitCode ?? (await once(wrong, 'exit'))[0], 2)
})
