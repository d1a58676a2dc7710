// Starting and stopping: each call in each state, by the table and by real routers.
import { once } from 'node:events'
import { createServer } from 'node:net'
import test from 'ava'
import { createRouter } from 'breakwater/router'
import { type State, type Step, steps } from '../../src/router/state.ts'
import { Raw } from './support.ts'

const states = Object.keys(steps) as State[]

test('from every state a close leads to the end, which nothing leaves', t => {
  for (const state of states) {
    const path: State[] = [state]
    let at = steps[state].close as State
    for (let i = 0; i < states.length && at !== 'closed'; i++) {
      path.push(at)
      at = (steps[at].ended ?? steps[at].listening) as State
    }
    t.is(at, 'closed', path.join(' -> '))
  }
  for (const [step, next] of Object.entries(steps.closed)) t.is(next, 'closed', step)
})

test('what was asked for while it opened is done when it has opened, or failed', t => {
  for (const step of ['listening', 'failed'] satisfies Step[]) {
    t.truthy(steps.opening[step])
    t.is(steps.closing[step], 'closing')
  }
})

const code = (promise: Promise<unknown>) =>
  promise.then(
    () => 'done',
    error => error.code as string,
  )

for (const driver of ['auto', 'net'] as const) {
  for (const threads of [0, 1]) {
    const make = () => createRouter({ driver, threads, maxBytes: '16mb' })
    const name = `${driver}, ${threads} threads`

    test.serial(
      `${name}: every pair of calls, the second while the first is pending or done`,
      async t => {
        const calls = {
          listen: (router: ReturnType<typeof make>) => code(router.listen({ port: 0 })),
          close: (router: ReturnType<typeof make>) => code(router.close()),
        }
        const expected: Record<string, [string, string]> = {
          'listen listen pending': ['done', 'ERR_ROUTER_STATE'],
          'listen listen done': ['done', 'ERR_ROUTER_STATE'],
          'listen close pending': ['ERR_ROUTER_STATE', 'done'],
          'listen close done': ['done', 'done'],
          'close listen pending': ['done', 'ERR_ROUTER_STATE'],
          'close listen done': ['done', 'ERR_ROUTER_STATE'],
          'close close pending': ['done', 'done'],
          'close close done': ['done', 'done'],
        }
        for (const [pair, outcome] of Object.entries(expected)) {
          const [first, second, when] = pair.split(' ') as ['listen', 'close', string]
          const router = make()
          const one = calls[first](router)
          if (when === 'done') await one
          const two = calls[second](router)
          t.deepEqual([await one, await two], outcome, pair)
          const serves = first === 'listen' && second === ('listen' as string)
          t.is(router.address() !== null, serves, pair)
          if (serves) {
            const client = await Raw.open(t, router.address()?.port as number)
            t.is(await client.send('PING'), '+PONG\r\n')
          }
          await router.close()
          t.is(router.address(), null)
          t.is(router.stats().clients >= 0, true)
        }
      },
    )

    test.serial(
      `${name}: a port that is taken leaves it as it was: it may listen elsewhere`,
      async t => {
        const taken = createServer().listen(0, '127.0.0.1')
        await once(taken, 'listening')
        const { port } = taken.address() as { port: number }
        const router = make()
        t.is(await code(router.listen({ port })), 'EADDRINUSE')
        t.is(await code(router.listen({ port: -1 })), 'ERR_INVALID_OPTION')
        const other = await router.listen({ port: 0 })
        const client = await Raw.open(t, other.port)
        t.is(await client.send('PING'), '+PONG\r\n')
        await router.close()
        // Closed while it fails.
        const third = make()
        const failing = code(third.listen({ port }))
        const closing = code(third.close())
        t.deepEqual([await failing, await closing], ['EADDRINUSE', 'done'])
        taken.close()
      },
    )
  }
}
