// The image, built without a daemon: what it has suffices to serve, to say how it is, and to drain, by
// each command that is deployed.
import { once } from 'node:events'
import { chmodSync, mkdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs'
import { get } from 'node:http'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { parse, parseAllDocuments } from 'yaml'
import { freePort } from '../../scripts/free-port.mjs'
import { DEFAULT_PORT } from '../../src/router/index.ts'
import { newFolder, removeFolder } from '../helpers/folders.ts'
import { heard } from '../helpers/heard.ts'
import { packInto } from '../package/install.ts'
import { installed, Raw, redis } from '../router/support.ts'
import { build, inside, type Stage } from './image.ts'

const deploy = fileURLToPath(new URL('../../deploy', import.meta.url))
const text = (path: string) => readFileSync(join(deploy, path), 'utf8')

let image: Stage
let folder: string

test.before(t => {
  t.timeout(300_000)
  folder = newFolder('image')
  chmodSync(folder, 0o755)
  const { main, platform } = packInto(folder)
  // Both at once, which is what the optional dependencies of the published package amount to.
  const VERSION = `file:${main.tarball} ${platform.tarball}`
  image = build(text('docker/Dockerfile'), folder, { VERSION })
})

test.after.always(() => folder && removeFolder(folder))

/** A container of the image: its clients' port, how its health is, and its end. */
async function start(t: ExecutionContext, words: string[], env: Record<string, string> = {}) {
  const admin = await freePort()
  const [host] = (env.BREAKWATER_ADMIN ?? image.env.BREAKWATER_ADMIN!).split(':')
  const given = { ...env, BREAKWATER_ADMIN: `${host}:${admin}` }
  const command = [...image.entrypoint, ...words, '--port', '0', '--threads', '1']
  const node = heard(t, inside(image, command, given))
  const [, port] = await node.says(/listens on \S+:(\d+)/)
  return {
    ...node,
    admin,
    port: Number(port),
    async health(): Promise<{ code: number; said: string }> {
      const check = heard(t, inside(image, image.health, given))
      const [code] = await once(check.child, 'close')
      return { code, said: check.text() }
    },
    async stop() {
      // With its last words.
      const exited = once(node.child, 'close')
      node.child.kill(image.signal)
      return exited
    },
  }
}

/** Done once it is healthy. */
async function healthy({ health }: Awaited<ReturnType<typeof start>>): Promise<void> {
  while ((await health()).code !== 0);
}

test('it serves by its own command, not as root, is healthy, and ends in order', async t => {
  t.timeout(120_000)
  const node = await start(t, image.cmd)
  if (process.getuid?.() === 0) {
    t.regex(readFileSync(`/proc/${node.child.pid}/status`, 'utf8'), /^Uid:(\t65534){4}$/m)
  }
  const client = await Raw.open(t, node.port)
  t.is(await client.send('SET', 'a', '1'), '+OK\r\n')
  await healthy(node)
  t.deepEqual(await node.stop(), [0, null], node.text())
})

test('what it exposes is where a node listens, and where it is administered', t => {
  const { port } = /:(?<port>\d+)$/.exec(image.env.BREAKWATER_ADMIN!)!.groups!
  t.deepEqual(image.exposed, [`${DEFAULT_PORT}`, port])
})

test('it writes lines of JSON, for which it has what it needs', async t => {
  t.timeout(120_000)
  const node = await start(t, [...image.cmd, '--log-format', 'json'])
  t.deepEqual(await node.stop(), [0, null])
  const lines = node.text().trim().split('\n')
  const events = lines.map(line => JSON.parse(line).event)
  for (const event of ['listening', 'administered', 'draining', 'drained']) {
    t.true(events.includes(event), event)
  }
})

test('it is not healthy while its store is away, and says why', async t => {
  t.timeout(120_000)
  const BREAKWATER_STORE = `redis://127.0.0.1:${await freePort()}`
  const node = await start(t, image.cmd, { BREAKWATER_STORE })
  const { code, said } = await node.health()
  t.is(code, 3)
  t.regex(said, /store/)
})

interface Container {
  args?: string[]
  env?: { name: string; value?: string; valueFrom?: { secretKeyRef: { key: string } } }[]
}

/** The containers of a Deployment that are of the image. */
function containers(path: string): Container[] {
  const { spec } = parse(text(`kubernetes/${path}/deployment.yaml`), { merge: true }).spec.template
  const all = [...spec.containers, ...(spec.initContainers ?? [])]
  return all.filter(({ image }: { image: string }) => image === 'breakwater:latest')
}

const fronted = installed('redis-server') ? test : test.skip

/** A store, and what Secrets and the environment of Compose say of it and of the clients. */
async function secrets(t: ExecutionContext): Promise<Record<string, string>> {
  const { port } = await redis(t)
  return {
    store: `redis://127.0.0.1:${port}`,
    password: 'sesame',
    'admin-token': 'an-admin-token-of-its-own',
  }
}

/** The environment of a container of Kubernetes. */
function environment({ env = [] }: Container, secret: Record<string, string>) {
  const of = ({ value, valueFrom }: (typeof env)[number]) =>
    value ?? secret[valueFrom!.secretKeyRef.key]!
  return Object.fromEntries(env.map(variable => [variable.name, of(variable)]))
}

fronted('Compose starts a node by it that serves those with the password', async t => {
  t.timeout(120_000)
  const { store, password } = await secrets(t)
  const { command, environment } = parse(text('compose.yaml')).services.breakwater
  t.deepEqual(Object.keys(environment), ['BREAKWATER_STORE', 'BREAKWATER_PASSWORD'])
  const given = { BREAKWATER_STORE: store!, BREAKWATER_PASSWORD: password! }
  const node = await start(t, command, given)
  const client = await Raw.open(t, node.port)
  t.regex(await client.send('SET', 'a', '1'), /^-NOAUTH/)
  t.is(await client.send('AUTH', password!), '+OK\r\n')
  t.is(await client.send('SET', 'a', '1'), '+OK\r\n')
  await healthy(node)
  // Those who scrape reach it by its name.
  const headers = { host: `breakwater:${node.admin}` }
  t.is(await asked(node.admin, '/metrics', headers), 200)
  t.is(await asked(node.admin, '/metrics', { host: `other:${node.admin}` }), 421)
  client.socket.destroy()
  t.deepEqual(await node.stop(), [0, null], node.text())
})

fronted('a pod has it as a sidecar that is ready once it has met its store', async t => {
  t.timeout(120_000)
  const [container] = containers('sidecar')
  const node = await start(t, container!.args!, environment(container!, await secrets(t)))
  const client = await Raw.open(t, node.port)
  t.is(await client.send('SET', 'a', '1'), '+OK\r\n')
  await healthy(node)
  t.deepEqual(await node.stop(), [0, null], node.text())
})

fronted(
  'a pod of the tier reads what is mounted, and a ConfigMap that changes is reloaded',
  async t => {
    t.timeout(120_000)
    const secret = await secrets(t)
    const documents = parseAllDocuments(text('kubernetes/tier/config.yaml'))
    const { data } = documents[0]!.toJS()
    const mounted = join(image.root, 'secrets')
    mount(mounted, { 'admin-token': `${secret['admin-token']}\n` }, 1)
    const config = data['breakwater.config.yaml'].replace('/secrets/', `${mounted}/`)
    const map = join(image.root, 'config')
    mount(map, { 'breakwater.config.yaml': config }, 1)
    const [container] = containers('tier')
    const args = container!.args!.map(word => word.replace(/^\/config\//, `${map}/`))
    const node = await start(t, args, environment(container!, secret))
    const client = await Raw.open(t, node.port)
    t.is(await client.send('AUTH', secret.password!), '+OK\r\n')
    t.is(await client.send('SET', 'a', '1'), '+OK\r\n')
    await healthy(node)
    for (const [path, status] of [
      ['/livez', 200],
      ['/readyz', 200],
      ['/status', 401],
    ] as const) {
      t.is(await asked(node.admin, path), status, path)
    }
    const token = { authorization: `Bearer ${secret['admin-token']}` }
    t.is(await asked(node.admin, '/status', token), 200)
    mount(map, { 'breakwater.config.yaml': config.replace('ttl=1m', 'ttl=2m') }, 2)
    await node.says(/reloaded: routes\[\*\]\.ttl/)
    t.is(await client.send('GET', 'a'), '$1\r\n1\r\n')
    client.socket.destroy()
    t.deepEqual(await node.stop(), [0, null], node.text())
  },
)

/** Mounts files as Kubernetes does: by links, all of which change their target in one step. */
function mount(path: string, files: Record<string, string>, version: number): void {
  mkdirSync(join(path, `..${version}`), { recursive: true })
  for (const [name, text] of Object.entries(files)) {
    writeFileSync(join(path, `..${version}`, name), text)
    if (version === 1) symlinkSync(join('..data', name), join(path, name))
  }
  symlinkSync(`..${version}`, join(path, '..next'))
  renameSync(join(path, '..next'), join(path, '..data'))
}

/** The status that the admin entrance answers. */
async function asked(port: number, path: string, headers: Record<string, string> = {}) {
  const request = get({ host: '127.0.0.1', port, path, headers })
  const [response] = await once(request, 'response')
  response.resume()
  return response.statusCode as number
}
