// What clients ask about their connections is answered by a node as by a Redis, byte for byte but for
// what names a connection, or says how much memory it has.
import { setTimeout as sleep } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { type Conversation, conversations, otherwise } from './conversations/index.ts'
import { front } from './store/support.ts'
import { encode, installed, Raw, redis, type Served, serve } from './support.ts'

const compare = installed('redis-server') ? test : test.skip
const ONE = ['--threads', '1', '--max-bytes', '64mb']
/** How long a reply that does not come is waited for: only where something is wrong. */
const LONG = 60_000

/** A client, and what its server knows it by. */
interface Client {
  raw: Raw
  id: string
  addr: string
  laddr: string
}
type Clients = Map<string, Client>

/** What is to be the same. */
interface Sides {
  theirs: Served
  nodes: { name: string; node: Served }[]
}

for (const version of ['2', '3']) {
  compare(`RESP${version}: a Redis, and nodes with and without a store behind them`, async t => {
    t.timeout(240_000)
    const { theirs, nodes } = await sides(t)
    for (const conversation of conversations) {
      if (conversation.only && conversation.only !== version) continue
      const want = await hold(t, theirs, conversation, version)
      for (const { name, node } of nodes) {
        if (conversation.store && name !== 'behind it a store') continue
        const have = await hold(t, node, conversation, version)
        t.deepEqual(have, want, `${conversation.name}: ${name}`)
      }
    }
  })

  compare(`RESP${version}: what a node does otherwise`, async t => {
    t.timeout(240_000)
    const { nodes } = await sides(t)
    for (const { name, node } of nodes) {
      for (const conversation of otherwise) {
        if (conversation.store && name !== 'behind it a store') continue
        const said = await hold(t, node, conversation, version, (_, text) => text)
        const lines = conversation.lines.trim().split('\n')
        const expected = lines.map((line, at) => `${line}: ${conversation.said[at]}`.trimEnd())
        t.deepEqual(said.map(plain), expected, `${conversation.name}: ${name}`)
      }
    }
  })
}

/** A line without its ends; of a description, what it was asked until. */
function plain(said: string): string {
  const until = /^. ~(.*)~ .*?:.*\1/s.exec(said)?.[1]
  return (until ? said.replace(/: .*/s, `: ${until}`) : said).replace(/\r\n/g, ' ').trimEnd()
}

async function sides(t: ExecutionContext): Promise<Sides> {
  const [theirs, alone, fronted] = await Promise.all([redis(t), serve(t, ...ONE), front(t, ONE)])
  const nodes = [
    { name: 'a store of its own', node: alone },
    { name: 'behind it a store', node: fronted.node },
  ]
  return { theirs, nodes }
}

/** Holds a conversation with a server; what was said, line by line. */
async function hold(
  t: ExecutionContext,
  server: Served,
  { lines }: Conversation,
  version: string,
  shown = anonymous,
): Promise<string[]> {
  const first = await Raw.open(t, server.port)
  await first.send('FLUSHALL')
  // Those of the last conversation go.
  while ((await first.send('CLIENT', 'LIST')).match(/\bid=/g)!.length > 1) await sleep(1)
  first.socket.destroy()
  const clients: Clients = new Map()
  for (const letter of 'abc') {
    if (new RegExp(`^${letter}\\b|\\{${letter}`, 'm').test(lines)) {
      clients.set(letter, await enter(t, server, version))
    }
  }
  const said: string[] = []
  for (const line of lines.trim().split('\n')) {
    said.push(`${line}: ${shown(line, await say(clients, line), clients)}`)
  }
  for (const { raw } of clients.values()) raw.socket.destroy()
  return said
}

async function enter(t: ExecutionContext, server: Served, version: string): Promise<Client> {
  const raw = await Raw.open(t, server.port)
  if (version === '3') await raw.send('HELLO', '3')
  const text = await raw.send('CLIENT', 'INFO')
  const field = (name: string) => new RegExp(`\\b${name}=(\\S*)`).exec(text)![1]!
  return { raw, id: field('id'), addr: field('addr'), laddr: field('laddr') }
}

/** Does what a line says; what came of it. */
async function say(clients: Clients, line: string): Promise<string> {
  const [, letter, count, until, rest] = /^(.)(?:\/(\d))?(?: ~(.*)~)? ?(.*)$/.exec(line)!
  const { raw } = clients.get(letter!)!
  const late = (text: string) => sleep(LONG, text, { ref: false })
  if (rest === '!') return `${await Promise.race([raw.rest(), late('it is not over')])}`
  const words = rest!.match(/"(?:[^"\\]|\\.)*"|\S+/g)?.map(word => meant(word, clients)) ?? []
  for (let left = LONG / 10; ; left--) {
    if (words.length > 0) raw.write(encode(words))
    const replies = raw.replies(Number(count ?? 1)).then(all => all.join(''))
    const text = await Promise.race([replies, late('nothing comes')])
    if (until === undefined || text.includes(until) || left === 0) return text
    await sleep(10)
  }
}

/** A word as it is sent. */
function meant(word: string, clients: Clients): string {
  if (word.startsWith('"')) return JSON.parse(word) as string
  return word.replace(/\{(.)\.?(\w*)\}/g, (_, letter: string, what: keyof Client | '') =>
    String(clients.get(letter)![what || 'id']),
  )
}

/** What came, without what names a connection or says how much memory it has. */
function anonymous(line: string, text: string, clients: Clients): string {
  const letter = (id: string) => [...clients].find(([, one]) => one.id === id)?.[0] ?? id
  if (/\bid=\d/.test(text)) {
    // How long they are depends on what is left out.
    const plain = text.replace(/([$=])\d+\r\n(?=(txt:)?id=)/g, '$1')
    return plain
      .replace(/\b([\w-]+)=(\S*)/g, (field, name: string, value: string) => {
        if (name === 'id' || name === 'redir') return `${name}=${letter(value)}`
        if (name.endsWith('addr')) return `${name}=${value.replace(/\d+$/, '')}`
        return UNLIKE.has(name) ? name : field
      })
      .replace(/ lib-name lib-ver/g, '')
  }
  const tells = /client (id|getredir|trackinginfo)$/i.test(line) || text.includes('redir-broken')
  const ids = tells ? /(:)(\d+)(?=\r)/g : /(\$2\r\nid\r\n:)(\d+)/g
  return text.replace(ids, (_, head: string, id: string) => head + letter(id))
}

/** Fields of `CLIENT LIST` that are of the connection, of memory, or of a later Redis. */
const UNLIKE = new Set(
  `fd age idle qbuf qbuf-free argv-mem multi-mem rbs rbp obl oll omem tot-mem lib-name lib-ver`.split(
    ' ',
  ),
)
