// Messages over several stores: whoever subscribes through the node hears what is published through it,
// whichever store the ring gives the name of the channel.
import test from 'ava'
import { Raw } from '../support.ts'
import { hasRedis, ring } from './support.ts'

const several = hasRedis ? test : test.skip

several('messages to channels of shards are heard, whatever their names', async t => {
  t.timeout(240_000)
  const { node } = await ring(t, 3, ['--threads', '2'])
  const [client, publisher] = [await Raw.open(t, node.port), await Raw.open(t, node.port)]
  for (let n = 0; n < 30; n++) {
    await client.send('SSUBSCRIBE', `news:${n}`)
    t.is(await publisher.send('SPUBLISH', `news:${n}`, `calm ${n}`), ':1\r\n')
    const [message] = await client.replies(1)
    t.is(String(message).split('\r\n').at(-2), `calm ${n}`)
  }
})
