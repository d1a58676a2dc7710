// A node whose policy weighs sizes goes by those of replies, not of what stands for them until they come.
import test from 'ava'
import { createRouter } from 'breakwater/router'
import { encode, Raw, redis } from '../support.ts'
import { hasRedis } from './support.ts'

const fronted = hasRedis ? test : test.skip

const KEYS = 20_000
const ROUNDS = 2_000
const TOGETHER = 250

/** One key of eight has a large value. All are read as often. */
const isLarge = (n: number) => n % 8 === 7
const value = (n: number) => 'v'.repeat(isLarge(n) ? 8_192 : 100)

/** Numbers below `KEYS` without pattern, low ones far more often, and the same in each run. */
function skewed(): () => number {
  let state = 7
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) ** 4 * KEYS)
  }
}

fronted('large replies leave, where many small ones have room for each', async t => {
  t.timeout(240_000)
  const behind = await redis(t)
  const direct = await Raw.open(t, behind.port)
  for (let n = 0; n < KEYS; n++) direct.write(encode(['SET', `k${n}`, value(n)]))
  await direct.replies(KEYS)
  const router = createRouter({
    store: `redis://127.0.0.1:${behind.port}`,
    threads: 1,
    maxBytes: '3mb',
    policy: 'auto',
  })
  t.teardown(() => router.close())
  const { port } = await router.listen({ port: 0 })
  const client = await Raw.open(t, port)
  const next = skewed()
  for (let round = 0; round < ROUNDS; round++) {
    const keys = Array.from({ length: TOGETHER }, () => `k${next()}`)
    client.write(Buffer.concat(keys.map(key => encode(['GET', key]))))
    await client.replies(TOGETHER)
  }
  const looks = Array.from({ length: KEYS }, (_, n) => router.memory!.inspect(`k${n}`))
  const known = await Promise.all(looks)
  const remembered = (large: boolean) =>
    known.filter(({ memory }, n) => memory === 'reply' && isLarge(n) === large).length
  const [small, large] = [remembered(false), remembered(true)]
  t.log({ small, large })
  t.true(small / 7 > 2 * large, `${small} of seven times as many, and ${large}`)
})
