// A site built and served by Next.js with what would be published. It downloads a compiler of
// 100 MB and takes minutes: it runs only if BREAKWATER_TEST_NEXT is set.
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test from 'ava'
import { freePort } from '../../scripts/free-port.mjs'
import { removeFolder } from '../helpers/folders.ts'
import { installPacked } from '../package/install.ts'
import { npm } from '../package/runtimes.ts'

const site = fileURLToPath(new URL('site', import.meta.url))
const peers: Record<string, string> = JSON.parse(
  readFileSync(new URL('package.json', import.meta.url), 'utf8'),
).devDependencies

const run = process.env.BREAKWATER_TEST_NEXT ? test.serial : test.serial.skip
const env = { ...process.env, NEXT_TELEMETRY_DISABLED: '1', NODE_OPTIONS: '' }

async function ready(server: ChildProcess): Promise<void> {
  for await (const chunk of server.stdout ?? []) if (/Ready/.test(String(chunk))) return
  throw new Error('the server ended')
}

run('a site of Next.js keeps its pages and values in Breakwater', async t => {
  t.timeout(900_000)
  const { main, platform, folder: other } = installPacked()
  t.teardown(() => removeFolder(dirname(other)))
  const folder = join(dirname(other), 'site')
  cpSync(site, folder, { recursive: true })
  writeFileSync(join(folder, 'package.json'), '{ "private": true }\n')
  const packages = Object.entries(peers).map(([name, version]) => `${name}@${version}`)
  packages.push(main.tarball, platform.tarball)
  npm(folder, 'install', '--prefer-offline', '--ignore-scripts', ...packages)
  const next = join(folder, 'node_modules/next/dist/bin/next')
  await promisify(execFile)(process.execPath, [next, 'build'], { cwd: folder, env })

  const port = await freePort()
  const server = spawn(process.execPath, [next, 'start', '-p', String(port)], { cwd: folder, env })
  t.teardown(() => server.kill())
  await ready(server)
  const url = `http://localhost:${port}`
  const shown = async (path: string) => {
    const html = await (await fetch(url + path)).text()
    return /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/.exec(html)?.[0]
  }
  const revalidate = (tag: string, profile?: string) =>
    fetch(`${url}/revalidate`, { method: 'POST', body: JSON.stringify({ tag, profile }) })

  for (const [path, tag] of [
    ['/', 'page'],
    ['/cached', 'value'],
  ] as const) {
    const first = await shown(path)
    t.truthy(first)
    t.is(await shown(path), first)
    await revalidate(tag)
    const second = await shown(path)
    t.not(second, first)
    t.is(await shown(path), second)
    await revalidate(tag, 'max')
    t.is(await shown(path), second, 'what is stale is served once more')
    let third = await shown(path)
    while (third === second) third = await shown(path)
    t.truthy(third)
  }
  const sizes = (await (await fetch(`${url}/sizes`)).json()) as number[]
  for (const size of sizes) t.true(size > 0, JSON.stringify(sizes))
})
