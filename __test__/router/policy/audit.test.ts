// The audit log of a node: in threads and processes, rotated while it is written, and where it cannot be.
import { existsSync, readFileSync, renameSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import test from 'ava'
import { createRouter, type RouterOptions } from '../../../src/router/index.ts'
import { folderOf } from '../../helpers/folders.ts'
import { PATIENT } from '../store/support.ts'
import { installed, Raw, redis, serve } from '../support.ts'

interface Line {
  event: string
  command?: string
  reason?: string
  keys?: string[]
  count?: number
}

/** The lines of files, whole. */
function linesOf(...files: string[]): Line[] {
  const texts = files.filter(file => existsSync(file)).map(file => readFileSync(file, 'utf8'))
  const all = texts.flatMap(text => text.split('\n').filter(line => line !== ''))
  return all.map(line => JSON.parse(line) as Line)
}

const compared = installed('redis-server') ? test : test.skip
const users = ['--user', 'ada:sesame:read', '--user', 'ops:mellon']

for (const mode of ['threads', 'processes']) {
  compared(`${mode}: a rotation by SIGHUP loses no line and writes none twice`, async t => {
    t.timeout(120_000)
    const folder = folderOf(t, 'audit')
    const file = join(folder, 'audit.log')
    const store = await redis(t)
    const flags = ['--mode', mode, '--workers', '2', '--store', `redis://127.0.0.1:${store.port}`]
    const node = await serve(t, ...flags, ...PATIENT, '--audit-log', file, ...users)
    t.is(statSync(file).mode & 0o777, 0o600)
    const clients = await Promise.all([1, 2, 3].map(() => Raw.open(t, node.port)))
    for (const client of clients) t.is(await client.send('AUTH', 'ada', 'sesame'), '+OK\r\n')
    const files = [file]
    let sent = 0
    for (let round = 1; round <= 5; round++) {
      for (let step = 0; step < 20; step++) {
        const replies = clients.map(client => client.send('SET', `key:${sent++}`, 'value'))
        for (const reply of await Promise.all(replies)) t.regex(reply, /^-NOPERM/)
        if (step !== 10) continue
        const old = join(folder, `audit.${round}`)
        renameSync(file, old)
        files.push(old)
        node.process.kill('SIGHUP')
      }
      while (node.output().split('reloaded:').length <= round) await sleep(5)
    }
    t.is(await node.stop(), 0)
    const lines = linesOf(...files)
    const keys = lines.flatMap(({ event, keys = [] }) => (event === 'refused' ? keys : []))
    t.deepEqual(keys.sort(), Array.from({ length: sent }, (_, at) => `key:${at}`).sort())
    t.is(lines.filter(({ event }) => event === 'reload').length, 5)
    t.is(lines.at(0)?.event === undefined, false)
    t.is(lines.filter(({ event }) => event === 'close').length, 1)
    t.false(files.some(name => /value|sesame/.test(readFileSync(name, 'utf8'))))
  })
}

for (const driver of ['native', 'net'] as const) {
  test(`${driver}: passwords, refusals and orders are noted, and no password is`, async t => {
    const file = join(folderOf(t, 'audit'), 'audit.log')
    const options: RouterOptions = {
      threads: 0,
      driver,
      maxBytes: '16mb',
      audit: { file, keys: 'hashed' },
      users: [
        { name: 'ada', password: 'sesame', acl: '~a:* +@all -@dangerous' },
        { name: 'ops', password: 'mellon' },
      ],
    }
    const router = createRouter(options)
    const { port } = await router.listen({ port: 0 })
    const client = await Raw.open(t, port)
    await client.send('GET', 'b:hidden')
    await client.send('AUTH', 'hunter2')
    await client.send('AUTH', 'hunter2', 'ada')
    await client.send('AUTH', 'ada', 'sesame')
    await client.send('GET', 'b:hidden')
    await client.send('AUTH', 'ops', 'mellon')
    await client.send('CLIENT', 'LIST')
    await t.throwsAsync(router.reload({ ...options, maxClients: 0 }))
    await router.reload({ ...options, maxClients: 7 })
    await router.close()
    const text = readFileSync(file, 'utf8')
    t.deepEqual(
      linesOf(file).map(({ event, command, reason }) => [event, command, reason].join(' ').trim()),
      [
        'refused get unauthenticated',
        'refused auth password',
        'refused auth password',
        'refused get permission',
        'admin client|list',
        'reload refused',
        'reload',
        'close',
      ],
    )
    t.regex(text, /"changed":\["maxClients"\]/)
    t.notRegex(text, /hunter2|sesame|mellon|hidden/)
  })
}

test('a file that cannot be is told, and a reload to one changes nothing', async t => {
  const folder = folderOf(t, 'audit')
  const wrong: [RouterOptions, RegExp][] = [
    [{ audit: 'file' as never }, /audit must be an object/],
    [{ audit: { file: '' } }, /audit\.file must be the name of a file/],
    [{ audit: { file: 'x', keys: 'some' as never } }, /audit\.keys must be/],
    [{ audit: { file: 'x', more: 1 } as never }, /audit\.more/],
  ]
  for (const [options, message] of wrong) t.throws(() => createRouter(options), { message })
  const given = { threads: 0, maxBytes: '16mb' }
  const missing = { file: join(folder, 'nowhere', 'audit.log') }
  const message = /audit\.file must be a file that can be appended to \(ENOENT\)/
  const unable = createRouter({ ...given, audit: missing })
  await t.throwsAsync(unable.listen({ port: 0 }), { message })
  await unable.close()
  const file = join(folder, 'audit.log')
  const router = createRouter({ ...given, audit: { file } })
  t.teardown(() => router.close())
  await router.listen({ port: 0 })
  await t.throwsAsync(router.reload({ ...given, maxClients: 7, audit: missing }), { message })
  t.is(router.options().maxClients, undefined)
  await router.reload({ ...given, maxClients: 7, audit: { file } })
  t.deepEqual(
    linesOf(file).map(({ event }) => event),
    ['reload refused', 'reload'],
  )
})
