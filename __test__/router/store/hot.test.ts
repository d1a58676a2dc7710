// A key that everybody asks for, of a route that remembers nothing: its store is asked no more than the
// others, and nobody is given what is older than a write that was answered.
import test, { type ExecutionContext } from 'ava'
import { random } from '../../helpers/random.ts'
import { encode, Raw } from '../support.ts'
import { calls, front, hasRedis, info, ring, texts } from './support.ts'

const several = hasRedis ? test : test.skip
const HOT = 'front-page'

/** Clients that read for a while, several keys at a time, three in ten times the hot one. */
async function rush(clients: readonly Raw[], seed: number, rounds = 3): Promise<void> {
  const draw = random(seed)
  const key = () => (draw() < 0.3 ? HOT : `user:${Math.floor(draw() * 5_000)}`)
  const work = clients.map(async client => {
    for (let round = 0; round < rounds; round++) {
      const requests = Array.from({ length: 20 }, () => encode(['GET', key()]))
      client.write(Buffer.concat(requests))
      await client.replies(requests.length)
    }
  })
  await Promise.all(work)
}

const open = (t: ExecutionContext, port: number, count: number) =>
  Promise.all(Array.from({ length: count }, () => Raw.open(t, port)))

several('a key with three tenths of the reads loads its store no more than others', async t => {
  t.timeout(240_000)
  const { stores, node } = await ring(t, 5, ['--threads', '2', '--route', '*,mode=off'])
  const clients = await open(t, node.port, 60)
  const raws = await Promise.all(stores.map(({ port }) => Raw.open(t, port)))
  const asked = () => Promise.all(raws.map(raw => calls(raw, 'get')))
  let [before, ratio] = [await asked(), Number.POSITIVE_INFINITY]
  for (let round = 0; ratio > 1.3; round++) {
    await rush(clients, round)
    const after = await asked()
    const counts = after.map((count, at) => count - before[at]!)
    before = after
    ratio = (Math.max(...counts) * counts.length) / counts.reduce((sum, count) => sum + count)
    if (round % 20 === 0) t.log(`round ${round}: ${counts}, ${ratio.toFixed(2)} times the mean`)
  }
  const told = await clients[0]!.send('INFO', 'hotkeys')
  t.regex(told, /hotkey_0:key=front-page,share=0\.[1-5]/)
  // It cools down when nobody asks for it any more.
  const others = async () => {
    const requests = Array.from({ length: 200 }, (_, at) => encode(['GET', `user:${at}`]))
    clients[0]!.write(Buffer.concat(requests))
    await clients[0]!.replies(requests.length)
    return info(clients[0]!, 'hotkeys', 'hotkey_0')
  }
  while ((await others()) !== undefined);
  t.pass()
})

several('a read of a hot key that begins after a write was answered sees that write', async t => {
  t.timeout(240_000)
  const { node } = await front(t, ['--threads', '2', '--route', '*,mode=off'])
  const crowd = await open(t, node.port, 40)
  const [writer, reader] = (await open(t, node.port, 2)) as [Raw, Raw]
  await writer.send('SET', HOT, '0')
  let over = false
  const rushing = (async () => {
    for (let round = 0; !over; round++) await rush(crowd, round)
  })()
  while (!/hotkey_0:key=front-page/.test(await reader.send('INFO', 'hotkeys')));
  for (let n = 1; n <= 300; n++) {
    t.is(await writer.send('SET', HOT, `${n}`), '+OK\r\n')
    t.deepEqual(await texts(reader, 'GET', HOT), [`${n}`])
    t.deepEqual(await texts(writer, 'GET', HOT), [`${n}`])
  }
  over = true
  await rushing
})
