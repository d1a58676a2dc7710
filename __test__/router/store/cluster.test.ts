// A node in front of a Redis Cluster of real servers.
import test from 'ava'
import { Raw, serve } from '../support.ts'
import { agreed, cluster, hasCluster, move, until } from './cluster.ts'

const clustered = hasCluster ? test : test.skip

clustered('keys of all slots are read and written as of one server', async t => {
  t.timeout(180_000)
  const { url, masters } = await cluster(t)
  const node = await serve(t, '--store', url)
  const client = await Raw.open(t, node.port)
  for (let n = 0; n < 200; n++) t.is(await client.send('SET', `k${n}`, `v${n}`), '+OK\r\n')
  for (let round = 0; round < 2; round++) {
    for (let n = 0; n < 200; n++) {
      const value = `v${n}`
      t.is(await client.send('GET', `k${n}`), `$${value.length}\r\n${value}\r\n`)
    }
  }
  for (const { raw } of masters) t.not(await raw.send('DBSIZE'), ':0\r\n')
  t.true((await client.send('MSET', 'a', '1', 'b', '2')).length > 0)
  t.is(await client.send('MSET', '{a}1', '1', '{a}2', '2'), '+OK\r\n')
  t.is(await client.send('MGET', '{a}1', '{a}2'), '*2\r\n$1\r\n1\r\n$1\r\n2\r\n')
  t.is(await client.send('MULTI'), '+OK\r\n')
  t.is(await client.send('INCR', '{a}1'), '+QUEUED\r\n')
  t.is(await client.send('GET', '{a}2'), '+QUEUED\r\n')
  t.is(await client.send('EXEC'), '*2\r\n:2\r\n$1\r\n2\r\n')
})
