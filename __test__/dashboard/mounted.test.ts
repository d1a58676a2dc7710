// The handler is mounted where its embedder wants it: node:http, Express and Fastify, with body parsers
// or without.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import test, { type ExecutionContext } from 'ava'
import express from 'express'
import fastify from 'fastify'
import { act, ask, built, dashboard, end, served, TOKEN, Watcher } from './support.ts'

const { Cache } = built

/** Looks at the page and has it do something. */
async function check(t: ExecutionContext, port: number, base: string): Promise<void> {
  const redirect = await ask(port, base)
  t.is(redirect.status, 308)
  t.is(new URL(redirect.headers.location!, `http://h${base}`).pathname, `${base}/`)
  const page = await ask(port, `${base}/`)
  t.regex(page.body, /<title>Breakwater<\/title>/)
  for (const file of ['app.js', 'style.css', 'icon.svg', 'licences.txt']) {
    t.is((await ask(port, `${base}/${file}`)).status, 200, file)
  }
  const watcher = await Watcher.open(t, port, `${base}/events`)
  t.is((await watcher.hello()).shapes[0]!.name, 'mounted')
  const outcome = await act(port, { source: 'mounted', action: 'flush' }, `${base}/act`)
  t.deepEqual(outcome, { ok: true, text: 'Flushed.' })
}

const handler = () => dashboard(new Cache({ max: 10, name: 'mounted' }), { token: TOKEN })

test('node:http', async t => {
  t.timeout(60_000)
  await check(t, await served(t, handler()), '/deep/in/it')
})

for (const parses of [false, true]) {
  test(`Express${parses ? ', behind a parser of bodies' : ''}`, async t => {
    t.timeout(60_000)
    const app = express()
    if (parses) app.use(express.json())
    app.use('/admin/cache', handler())
    await check(t, await served(t, app), '/admin/cache')
  })
}

test('Fastify', async t => {
  t.timeout(60_000)
  const show = handler()
  const app = fastify()
  app.register(async scope => {
    // The handler reads the body itself.
    scope.removeAllContentTypeParsers()
    scope.addContentTypeParser('*', (_request, _payload, done) => done(null))
    const serve = (
      { raw }: { raw: Parameters<typeof show>[0] },
      reply: { hijack(): void; raw: Parameters<typeof show>[1] },
    ) => {
      reply.hijack()
      show(raw, reply.raw)
    }
    scope.all('/cache', serve)
    scope.all('/cache/*', serve)
  })
  await app.ready()
  const server = createServer(app.routing).listen(0, '127.0.0.1')
  await new Promise(resolve => server.once('listening', resolve))
  t.teardown(() => end(server))
  await check(t, (server.address() as AddressInfo).port, '/cache')
})
