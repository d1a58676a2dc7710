// The module of hooks: how it is given, loaded, refused and reloaded; threads that end while hooks run.
import { once } from 'node:events'
import { readdirSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { Worker } from 'node:worker_threads'
import test from 'ava'
import { createRouter, defineHooks } from 'breakwater/router'
import { folderOf } from '../../helpers/folders.ts'
import { hasRedis } from '../store/support.ts'
import { encode, PLAIN, Raw, redis, run, serve } from '../support.ts'
import { hookWarnings, moduleOf, routerOf } from './support.ts'

const says = (text: string) =>
  `{ onCommand: { commands: ['echo'], handle: () => ({ answer: '${text}' }) } }`

/** Changes a file, and the time of its change. */
function change(path: string, hooks: string): void {
  writeFileSync(path, `export default ${hooks}`)
  const soon = Date.now() / 1000 + 5 + Math.random() * 1000
  utimesSync(path, soon, soon)
}

test('hooks are the functions of the caller where it serves by itself', async t => {
  const seen: string[] = []
  const hooks = defineHooks({
    onCommand: {
      commands: ['SET', 'get'],
      handle({ command, args }) {
        seen.push([command, ...args].join(' '))
        return command === 'get' ? { answer: 'here' } : undefined
      },
    },
  })
  for (const driver of ['native', 'net'] as const) {
    const { port } = await routerOf(t, { driver, threads: 0, hooks })
    const client = await Raw.open(t, port)
    t.is(await client.send('SET', 'a', '1'), '+OK\r\n')
    t.is(await client.send('GET', 'a'), '$4\r\nhere\r\n')
    t.deepEqual(seen.splice(0), ['set a 1', 'get a'])
  }
})

test('a request cannot be read once its hook has returned', async t => {
  const kept: { command: string }[] = []
  const { port } = await routerOf(t, {
    threads: 0,
    hooks: { onCommand: { handle: request => void kept.push(request) } },
  })
  const client = await Raw.open(t, port)
  await client.send('PING')
  t.throws(() => kept[0]!.command, { message: /while its hook runs/ })
})

test('TypeScript, a URL and a flag are ways to give a module', async t => {
  const typed = moduleOf(t, `${says('typed')} as object`, 'hooks.ts')
  const { port } = await routerOf(t, { threads: 1, hooks: pathToFileURL(typed).href })
  t.is(await (await Raw.open(t, port)).send('ECHO', 'x'), '$5\r\ntyped\r\n')
  const served = await serve(t, '--threads', '2', '--hooks', moduleOf(t, says('flag'), 'flag.mjs'))
  t.is(await (await Raw.open(t, served.port)).send('ECHO', 'x'), '$4\r\nflag\r\n')
})

const WRONG: [hooks: string, error: RegExp][] = [
  ['{ onCommand: { handle: 1 } }', /hooks\.onCommand\.handle must be a function/],
  [
    '{ onCommand: [{ handle() {} }, { commands: [""] , handle() {} }] }',
    /hooks\.onCommand\[1\]\.commands\[0\]/,
  ],
  [
    '{ onCommand: { commands: ["no such"], handle() {} } }',
    /hooks\.onCommand\.commands\[0\].*'config\|set'/,
  ],
  ['{ onCommand: { commands: ["AUTH"], handle() {} } }', /holds no password/],
  ['{ onCommand: { prefixes: "a", handle() {} } }', /hooks\.onCommand\.prefixes/],
  ['{ onCommand: { deadline: 5, handle() {} } }', /hooks\.onCommand\.deadline.*async/],
  ['{ onCommand: { async: true, deadline: Infinity, handle() {} } }', /hooks\.onCommand\.deadline/],
  ['{ onCommand: { async: 1, handle() {} } }', /hooks\.onCommand\.async/],
  ['{ onConnect: 1 }', /hooks\.onConnect/],
  ['{ onComand: { handle() {} } }', /did you mean 'hooks\.onCommand'/],
  ['Array.from({ length: 65 })', /hooks must be an object/],
  ['{ onCommand: Array.from({ length: 65 }, () => ({ handle() {} })) }', /at most 64/],
  ['undefined', /cannot be loaded: it has no default export/],
  ['(() => { throw new Error("odd") })()', /cannot be loaded: odd/],
  ['(() => { throw Object.create(null) })()', /cannot be loaded: a value that has no text/],
  ['{ get onCommand() { throw null } }', /cannot be loaded: null/],
]

for (const threads of [0, 1]) {
  test(`${threads} threads: wrong hooks are refused at the start and by a reload, which changes nothing`, async t => {
    for (const [hooks, message] of WRONG) {
      const router = createRouter({ threads, maxBytes: '16mb', hooks: moduleOf(t, hooks) })
      const error = await t.throwsAsync(router.listen({ port: 0 }), { message }, hooks)
      t.regex((error as NodeJS.ErrnoException).code!, /^ERR_(INVALID_OPTION|HOOK_MODULE)$/)
      await router.close()
    }
    const hooks = moduleOf(t, says('first'), 'reloaded.mjs')
    const { router, port } = await routerOf(t, { threads, hooks })
    const client = await Raw.open(t, port)
    for (const [wrong, message] of WRONG) {
      change(hooks, wrong)
      await t.throwsAsync(router.reload(), { message }, wrong)
      t.is(await client.send('ECHO', 'x'), '$5\r\nfirst\r\n')
    }
    change(hooks, says('second'))
    t.deepEqual((await router.reload()).changed, ['hooks'])
    t.is(await client.send('ECHO', 'x'), '$6\r\nsecond\r\n')
    t.deepEqual((await router.reload()).changed, [])
    const options = { threads, maxBytes: '16mb' } as const
    t.deepEqual((await router.reload({ ...options })).changed, ['hooks'])
    t.is(await client.send('ECHO', 'x'), '$1\r\nx\r\n')
    t.deepEqual((await router.reload({ ...options, hooks })).changed, ['hooks'])
    t.is(await client.send('ECHO', 'x'), '$6\r\nsecond\r\n')
  })
}

test('options of hooks that cannot be say so at once', t => {
  t.throws(() => createRouter({ hooks: './nowhere.js' }), { message: /hooks must be the path/ })
  t.throws(() => createRouter({ threads: 2, hooks: {} }), { message: /the path of a module/ })
  t.throws(() => createRouter({ hooks: 1 as never }), { message: /hooks must be/ })
})

test('a reload takes hooks out of force while clients wait for them, and answers these', async t => {
  for (const driver of ['native', 'net'] as const) {
    // It answers once there is a file.
    const goes = join(folderOf(t, 'goes'), 'goes')
    const hooks = moduleOf(
      t,
      `{ onCommand: { commands: ['get'], async: true, deadline: '60s', async handle() {
        const { existsSync } = await import('node:fs')
        while (!existsSync(${JSON.stringify(goes)})) await new Promise(resolve => setTimeout(resolve, 5))
        return { answer: 'old' }
      } } }`,
    )
    const { router, port } = await routerOf(t, { driver, threads: 1, hooks })
    const client = await Raw.open(t, port)
    client.write(Buffer.concat([encode(['GET', 'a']), encode(['GET', 'a'])]))
    while (router.stats().hooks.asked === 0) await sleep(5)
    await router.reload({ driver, threads: 1, maxBytes: '16mb' })
    writeFileSync(goes, '')
    t.deepEqual((await client.replies(2)).map(String), ['$3\r\nold\r\n', '$-1\r\n'])
  }
})

test('a new thread in the place of one has the hooks before it serves', async t => {
  const hooks = moduleOf(
    t,
    `{ onCommand: { commands: ['echo'], handle: () => ({ refuse: 'NO' }) } }`,
  )
  const { router, port } = await routerOf(t, { threads: 2, hooks })
  let going = true
  const ask = async () => {
    while (going) {
      const client = await Raw.open(t, port)
      t.true(['-NO\r\n', ''].includes(await client.send('ECHO', 'x')))
      client.socket.destroy()
    }
  }
  const asking = ask()
  for (let round = 0; round < 3; round++) await router.restart()
  going = false
  await asking
})

/** A thread whose router has hooks, of which one never returns when it is told so. */
const SERVER = `
  const { parentPort, workerData } = require('node:worker_threads')
  const { createRouter } = require('breakwater/router')
  createRouter(workerData).listen({ port: 0 }).then(({ port }) => parentPort.postMessage(port))`

for (const driver of ['native', 'net'] as const) {
  test.serial(
    `${driver}: a hundred threads that are terminated while hooks run leave nothing behind`,
    async t => {
      t.timeout(300_000)
      const hooks = moduleOf(
        t,
        `{ onConnect: () => undefined, onCommand: [
        { commands: ['get'], handle: ({ args }) => ({ answer: args[0] }) },
        { commands: ['set'], async: true, handle: async () => undefined },
      ] }`,
      )
      const mixed = Buffer.concat(
        Array.from({ length: 200 }, () => [encode(['GET', 'a']), encode(['SET', 'a', 'b'])]).flat(),
      )
      const descriptors = () => readdirSync('/proc/self/fd').length
      let before = 0
      for (let round = 0; round < 100; round++) {
        const workerData = { driver, threads: 0, maxBytes: '16mb', hooks }
        const worker = new Worker(SERVER, { eval: true, workerData })
        const [port] = (await once(worker, 'message')) as [number]
        const clients = await Promise.all(Array.from({ length: 3 }, () => PLAIN.connect(port)))
        const ended = clients.map(({ socket }) => {
          const flood = () => !socket.destroyed && socket.write(mixed, () => setImmediate(flood))
          flood()
          socket.on('end', () => socket.destroy())
          return new Promise(resolve => socket.once('close', resolve))
        })
        const heard = clients.map(({ socket }) => once(socket, 'data'))
        await Promise.all(heard)
        await worker.terminate()
        await Promise.all(ended)
        if (round === 9 && process.platform === 'linux') before = descriptors()
      }
      if (process.platform === 'linux')
        t.true(descriptors() <= before + 5, `${descriptors()} of ${before}`)
      t.pass()
    },
  )
}

const withStore = hasRedis ? test : test.skip

withStore('processes read hooks as threads do, and tell what fails', async t => {
  const store = `redis://127.0.0.1:${(await redis(t)).port}`
  const options = { mode: 'processes', workers: 2, store, maxBytes: '16mb' } as const
  const wrong = createRouter({ ...options, hooks: moduleOf(t, '{ onConnect: 1 }', 'wrong.mjs') })
  await t.throwsAsync(wrong.listen({ port: 0 }), { code: 'ERR_INVALID_OPTION' })
  await wrong.close()
  const warnings = hookWarnings(t)
  const hooks = moduleOf(t, says('first'), 'processes.mjs')
  const { router, port } = await routerOf(t, { ...options, hooks })
  const client = await Raw.open(t, port)
  t.is(await client.send('ECHO', 'x'), '$5\r\nfirst\r\n')
  change(hooks, '1')
  await t.throwsAsync(router.reload(), { message: /hooks must be an object/ })
  t.is(await client.send('ECHO', 'x'), '$5\r\nfirst\r\n')
  change(hooks, `{ onCommand: { commands: ['echo'], handle() { throw new Error('odd') } } }`)
  t.deepEqual((await router.reload()).changed, ['hooks'])
  t.is(await client.send('ECHO', 'x'), '-ERR a hook of the node has failed\r\n')
  while (warnings.length === 0) await sleep(5)
  t.is(warnings[0], 'onCommand failed: odd')
  while (router.stats().hooks.failed === 0) await sleep(5)
  t.like(router.stats().hooks, { answered: 2, failed: 1 })
})

test('the command line says what is wrong with a module', async t => {
  const { code, output } = await run(
    'serve',
    '--port',
    '0',
    '--threads',
    '1',
    '--hooks',
    moduleOf(t, '{ onConnect: 1 }'),
  )
  t.is(code, 2)
  t.regex(output, /hooks\.onConnect must be a function/)
})
