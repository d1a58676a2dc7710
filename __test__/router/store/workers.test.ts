// A thread of the node is killed while the node is in front of a cluster, or of a ring: who was
// connected to another thread notices nothing, and whoever comes back gets nothing wrong.
import test from 'ava'
import { Raw, redis, serveMortal } from '../support.ts'
import { cluster, hasCluster, until } from './cluster.ts'
import { busy } from './load.ts'
import { hasRedis, PATIENT } from './support.ts'

for (const [kind, test_] of [
  ['cluster', hasCluster ? test : test.skip],
  ['ring', hasRedis ? test : test.skip],
] as const) {
  test_(
    `threads are killed in front of a ${kind}: no reply is wrong, and nobody hangs`,
    async t => {
      t.timeout(300_000)
      const urls =
        kind === 'cluster'
          ? [(await cluster(t, 3, 0)).url]
          : (await Promise.all(Array.from({ length: 5 }, () => redis(t)))).map(
              ({ port }) => `redis://127.0.0.1:${port}`,
            )
      const stores = urls.flatMap(url => ['--store', url])
      const node = await serveMortal(t, '--threads', '3', ...stores, ...PATIENT)
      const load = await busy(t, node.port, { disconnects: true, clients: 9 })
      // Clients may all be with one thread: until that was killed.
      for (let killed = 0; killed < 4 || load.losses() === 0; killed++) {
        const then = load.made()
        await until(() => load.made() > then + 300)
        node.process.kill('SIGUSR2')
      }
      const last = load.made()
      await until(() => load.made() > last + 300)
      const { errors, losses } = await load.stop()
      t.true(losses > 0)
      for (const error of errors) t.regex(error, /^-ERR the thread that asked the store has ended/)
      const client = await Raw.open(t, node.port)
      for (let n = 0; n < 50; n++) t.is(await client.send('SET', `k${n}`, 'v'), '+OK\r\n')
    },
  )
}
