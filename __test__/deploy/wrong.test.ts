// Configurations that are wrong in any one field: whatever the published schema forbids, a node that is
// told to reload it refuses, with the path, the value and what is allowed, and serves on as it was.
import { spawn } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Ajv } from 'ajv'
import test from 'ava'
import { ask } from '../admin/support.ts'
import { Authority } from '../helpers/certificates.ts'
import { folderOf } from '../helpers/folders.ts'
import { heard } from '../helpers/heard.ts'
import { issuer } from '../router/policy/tokens.ts'
import { Raw } from '../router/support.ts'

const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url))

interface Schema {
  $ref?: string
  type?: string | string[]
  properties?: Record<string, Schema>
  additionalProperties?: boolean | Schema
  items?: Schema
  anyOf?: Schema[]
  definitions?: Record<string, Schema>
}

const SCHEMA: Schema = JSON.parse(
  readFileSync(new URL('../../config.schema.json', import.meta.url), 'utf8'),
)
const fits = new Ajv({ strict: false }).compile(SCHEMA)

/** What may be meant, and what nobody means. */
const VALUES: unknown[] = [
  ...[null, true, 7, -1, 0.5, 1e12, '', 'nonsense', 'hidden-nonsense', [], ['nonsense'], [7], [[]]],
  ...[{}, { nonsense: 7 }, Array(65).fill('redis://127.0.0.1:1'), '9'.repeat(300)],
]

/** A name in an object that takes any. */
const NAMED = '10.0.0.1:1'

/** Where a field is: names, and numbers of places in lists. */
type Path = (string | number)[]

/** The fields of a schema, those in lists and of alternatives as well. */
function fieldsOf(schema: Schema, path: Path = []): Path[] {
  const { $ref, properties = {}, items, anyOf = [], additionalProperties: more } = schema
  const named = $ref && SCHEMA.definitions![$ref.replace('#/definitions/', '')]
  const fields = [
    ...(path.length > 0 ? [path] : []),
    ...Object.entries(properties).flatMap(([name, field]) => fieldsOf(field, [...path, name])),
    ...(items === undefined ? [] : fieldsOf(items, [...path, 0])),
    ...(typeof more === 'object' ? fieldsOf(more, [...path, NAMED]) : []),
    ...[...(named ? [named] : []), ...anyOf].flatMap(other => fieldsOf(other, path)),
  ]
  const known = new Map(fields.map(field => [spelled(field), field]))
  return [...known.values()]
}

/** A path as errors spell it. */
function spelled(path: Path): string {
  return path.reduce<string>((before, name) => {
    if (typeof name === 'number' || name === NAMED) return `${before}[${name}]`
    return before === '' ? name : `${before}.${name}`
  }, '')
}

/** A configuration with a value at a path; what is around it stays. */
function withAt(around: unknown, [name, ...rest]: Path, value: unknown): unknown {
  if (name === undefined) return value
  if (typeof name === 'number') {
    const list = Array.isArray(around) ? around : []
    return [withAt(list[0], rest, value), ...list.slice(1)]
  }
  const whole = typeof around === 'object' && !Array.isArray(around) ? (around as object) : {}
  return { ...whole, [name]: withAt((whole as Record<string, unknown>)[name], rest, value) }
}

/** Fields whose values may be secrets: an error says of what type they are, and no more. */
const SECRET = /^(password|users(\[0\](\.(password|acl))?)?)$/

/** Whether an error shows a value, or its type where an object was expected. */
function tells(said: string, name: string, value: unknown): boolean {
  if (typeof value === 'object' && value !== null) return true
  const shown = value !== '' && said.includes(String(value).slice(0, 64))
  if (typeof value === 'string' && value.length > 1 && SECRET.test(name)) return !shown
  return shown || said.includes(`'${value}'`) || RegExp(`not '?${typeof value}`).test(said)
}

test('whatever the schema forbids is refused by a node that runs, which stays as it is', async t => {
  t.timeout(300_000)
  const dir = folderOf(t, 'wrong')
  const file = join(dir, 'breakwater.config.json')
  const admin = { listen: `unix:${join(dir, 'admin.sock')}` }
  const signer = join(dir, 'signer.jwk')
  writeFileSync(signer, issuer('HS256').file)
  const { cert, key } = new Authority().sign()
  const RING = ['redis://127.0.0.1:1', 'redis://127.0.0.1:2']
  /** What a field needs around it. */
  const NEEDS: Record<string, object> = {
    workers: { threads: undefined },
    users: { users: [{ name: 'ada', password: 'hidden' }] },
    tls: { tls: { cert, key } },
    audit: { audit: { file: join(dir, 'audit.log') } },
    identity: { tls: { cert, key, ca: cert }, identity: { certificate: 'CN' } },
    tokens: { tokens: { keys: [signer], acl: '~{sub}:*' } },
    'tokens.keys[0].': { tokens: { keys: [{ file: signer }] } },
    'store.announce': { store: { url: 'redis://127.0.0.1:1', cluster: true } },
    storeTls: { store: 'rediss://127.0.0.1:1' },
    'store.ring': { store: { ring: RING } },
    'store.whenDown': { store: { ring: RING } },
    'store.hashTags': { store: { ring: RING } },
    'store.ring[0].': { store: { ring: [{ url: RING[0] }, RING[1]] } },
    'store[': { store: RING },
    'store[0].': { store: [{ url: RING[0] }, RING[1]] },
    'listen.': { listen: { port: 0 }, tls: { cert, key } },
    routes: { routes: [{ match: '*' }] },
    'warm.every': { warm: { from: join(dir, 'hot') } },
    'warm.budget': { warm: { from: join(dir, 'hot') } },
    'warm.tokenFile': { warm: { from: 'http://127.0.0.1:1' } },
  }
  const good = {
    store: { url: 'redis://127.0.0.1:1' },
    ...{ threads: 1, maxBytes: '16mb', admin, listen: { port: 0 } },
  }
  writeFileSync(file, JSON.stringify(good))
  const node = heard(t, spawn(process.execPath, [CLI, 'serve', '--config', file]))
  const [, port] = await node.says(/listens on \S+:(\d+)/)
  const client = await Raw.open(t, Number(port))
  const faults: string[] = []
  let [refused, fields] = [0, 0]
  for (const path of fieldsOf(SCHEMA)) {
    const name = spelled(path)
    if (name === '$schema') continue
    const needs = Object.entries(NEEDS).filter(([of]) => name.startsWith(of))
    const around = Object.assign({ ...good }, ...needs.map(([, more]) => more))
    // Of a place in a list of words, the list is named, and the word is shown.
    const listed = spelled(typeof path.at(-1) === 'number' ? path.slice(0, -1) : path)
    fields++
    for (const value of VALUES) {
      const config = withAt(around, path, value)
      if (fits(config)) continue
      refused++
      writeFileSync(file, JSON.stringify(config))
      const { status, json } = await ask(admin.listen, '/reload', { method: 'POST' })
      const said = String(json?.error?.message ?? JSON.stringify(json))
      const where = `${name}: ${JSON.stringify(value)?.slice(0, 60)}`
      if (status !== 409) faults.push(`${where} was taken: ${said}`)
      else if (!/must be|unknown option|cannot be combined/.test(said))
        faults.push(`${where}: ${said}`)
      else if (![name, listed].some(each => said.includes(each)))
        faults.push(`${where} is not named: ${said}`)
      else if (!tells(said, name, value)) faults.push(`${where}: ${said}`)
      else if (/until the node is started anew/.test(said)) faults.push(`${where}: ${said}`)
    }
  }
  t.deepEqual(faults, [])
  t.true(fields > 100 && refused > 1_000, `${fields} ${refused}`)
  const { stats } = (await ask(admin.listen, '/status')).json
  t.is(stats.reloads, 0)
  t.is(await client.send('PING'), '+PONG\r\n')
})
