// Configuration by file: its kinds, what wins over it, what an error names, and its schema.
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { fieldsOf } from '../docs/code.ts'
import { difference, same } from '../docs/page.ts'
import { folderOf } from '../helpers/folders.ts'
import { Raw, serve, serveWith } from './support.ts'

const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url))
const ROUTER = new URL('../../dist/router/index.js', import.meta.url).href

/** A folder with these files, until the test ends. */
function folder(t: ExecutionContext, files: Record<string, string>): string {
  t.timeout(120_000)
  const dir = folderOf(t, 'config')
  for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, name), text)
  return dir
}

/** Runs `breakwater` in a folder to its end. */
function breakwater(cwd: string, ...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [CLI, ...args], {
    cwd,
    encoding: 'utf8',
  })
  return { code: status, output: stdout + stderr }
}

const KINDS: Record<string, string> = {
  'breakwater.config.json': '{ "maxClients": 7, "listen": { "port": 0 } }',
  'breakwater.config.yaml': 'maxClients: 7\nlisten:\n  port: 0\n',
  'breakwater.config.yml': 'maxClients: 7\nlisten: { port: 0 }\n',
  'breakwater.config.mjs': 'export default { maxClients: 7, listen: { port: 0 } }',
  'breakwater.config.cjs': 'module.exports = { maxClients: 7, listen: { port: 0 } }',
  'breakwater.config.ts': `import { defineConfig } from '${ROUTER}'
    const port: number = 0
    export default defineConfig({ maxClients: 7, listen: { port } })`,
}

for (const [name, text] of Object.entries(KINDS)) {
  test(`${name} is read, and flags win over it`, async t => {
    const dir = folder(t, { [name]: text })
    const { code, output } = breakwater(dir, 'check')
    t.is(code, 0, output)
    t.regex(output, new RegExp(`^${name} is good:\n  listens on  127\\.0\\.0\\.1:0\n`))
    const file = join(dir, name)
    const clients = async (...flags: string[]) => {
      const { port } = await serve(t, '--config', file, '--threads', '1', ...flags)
      const client = await Raw.open(t, port)
      return /maxclients:(\d+)/.exec(await client.send('INFO', 'clients'))?.[1]
    }
    t.is(await clients(), '7')
    t.is(await clients('--max-clients', '9'), '9')
  })
}

test('an error names the file, the path of the option, its value and what is allowed', t => {
  for (const [config, message] of [
    [{ maxClients: 0 }, /breakwater\.config\.json: maxClients must be a whole number from 1/],
    [{ maxClient: 3 }, /unknown option 'maxClient'; did you mean 'maxClients'\?/],
    [{ listen: { port: 99999 } }, /json: listen\.port must be a whole number .* not 99999/],
    [{ listen: { prt: 1 } }, /unknown option 'listen\.prt'; did you mean 'listen\.port'\?/],
    [{ listen: 6380 }, /json: listen must be an object/],
    [{ tls: { cert: 'nowhere', key: 'k' } }, /json: tls\.cert must be a file .*\(ENOENT\)/],
    [{ store: 'redis://:hidden@a/x/y' }, /json: store must be/],
    [{ store: 'redis://a', routes: [{ match: '*', ttl: -1 }] }, /json: routes\[0\]\.ttl must be/],
    [{ store: 'redis://a', driver: 'net' }, /json: store .* cannot be combined/],
    [{ password: 7 }, /json: password must be a text that is not empty, not 'number'/],
    [[], /json: configuration must be an object/],
  ] as const) {
    const dir = folder(t, { 'breakwater.config.json': JSON.stringify(config) })
    for (const command of ['check', 'serve'] as const) {
      const { code, output } = breakwater(dir, command)
      t.true(code === 2 || (code === 1 && command === 'serve'), output)
      t.regex(output, message)
      t.notRegex(output, /hidden/)
    }
  }
})

test('a file that is not there, is broken, or is one of two ends with 1, and shows nothing of it', t => {
  const broken = '{ "password": "hidden" '
  for (const [files, message] of [
    [{}, /there is no breakwater\.config/],
    [{ 'breakwater.config.json': broken }, /breakwater\.config\.json cannot be read/],
    [{ 'breakwater.config.yaml': 'a: [hidden\nb: }' }, /not well-formed \(line \d/],
    [{ 'breakwater.config.mjs': 'export default {' }, /breakwater\.config\.mjs cannot be read/],
    [
      { 'breakwater.config.json': '{}', 'breakwater.config.yaml': '' },
      /there are breakwater\.config\.json and breakwater\.config\.yaml/,
    ],
  ] as const) {
    const { code, output } = breakwater(folder(t, files), 'check')
    t.is(code, 1, output)
    t.regex(output, message)
    t.notRegex(output, /hidden/)
  }
  const dir = folder(t, { 'other.txt': '' })
  t.regex(breakwater(dir, 'check', 'nowhere.json').output, /nowhere\.json does not exist/)
  t.regex(breakwater(dir, 'check', 'other.txt').output, /other\.txt must end with one of/)
  t.regex(breakwater(dir, 'serve', '--config', 'nowhere.json').output, /does not exist/)
})

test('the environment wins over the file, and a flag over both', async t => {
  const dir = folder(t, { 'c.json': '{ "password": "of the file", "listen": { "port": 0 } }' })
  const config = ['--config', join(dir, 'c.json'), '--threads', '1']
  const enters = async (env: NodeJS.ProcessEnv, password: string, ...flags: string[]) => {
    const { port } = await serveWith(t, env, ...config, ...flags)
    const client = await Raw.open(t, port)
    return (await client.send('AUTH', password)) === '+OK\r\n'
  }
  t.true(await enters({}, 'of the file'))
  t.true(await enters({}, 'of a flag', '--requirepass', 'of a flag'))
  // Of that process alone: others are started meanwhile.
  const env = { BREAKWATER_PASSWORD: 'of the environment' }
  t.true(await enters(env, 'of the environment'))
  t.true(await enters(env, 'of a flag', '--requirepass', 'of a flag'))
})

test('what is wrong in the environment is told by the name of the variable, and no secret is', t => {
  const dir = folder(t, { 'c.json': '{ "threads": 1, "listen": { "port": 0 } }' })
  for (const [variables, message] of [
    [{ BREAKWATER_STORE: 'redis://:hidden@/x' }, /BREAKWATER_STORE must be 'redis:/],
    [
      { BREAKWATER_STORE: 'redis://:hidden@a redis://:hidden@a' },
      /BREAKWATER_STORE.* another place/,
    ],
    [{ BREAKWATER_PASSWORD: '' }, /BREAKWATER_PASSWORD must be a text that is not empty/],
    [{ BREAKWATER_ADMIN: 'nowhere' }, /BREAKWATER_ADMIN must be an address.*not 'nowhere'/],
    [
      { BREAKWATER_ADMIN: '0', BREAKWATER_ADMIN_TOKEN_FILE: '/nowhere' },
      /BREAKWATER_ADMIN_TOKEN_FILE must be a file.*'\/nowhere'/,
    ],
  ] as const) {
    const { status, stderr, stdout } = spawnSync(
      process.execPath,
      [CLI, 'serve', '--config', join(dir, 'c.json')],
      { encoding: 'utf8', env: { ...process.env, ...variables }, timeout: 60_000 },
    )
    t.true(status === 1 || status === 2, `${JSON.stringify(variables)} ${status} ${stdout}`)
    t.regex(stderr, message)
    t.notRegex(stderr + stdout, /hidden/)
  }
})

interface Schema {
  properties?: Record<string, Schema>
  items?: Schema
  anyOf?: Schema[]
  enum?: string[]
}

/** The paths of a schema's properties, as the types have them; of lists, those of their items. */
function pathsOf({ properties = {} }: Schema, before = ''): string[] {
  return Object.entries(properties).flatMap(([name, schema]) => {
    const wholes = [schema, ...(schema.anyOf ?? [])].filter(({ properties }) => properties)
    if (wholes.length === 0) return [before + name]
    return wholes.flatMap(whole => pathsOf(whole, `${before}${name}.`))
  })
}

/** What a file says beside the options of a router, where it listens and where it is administered. */
function serveOnly(fields: (type: string) => string[]): string[] {
  const router = new Set(fields('RouterOptions').map(name => name.split('.')[0]!))
  const own = new Set(fields('RouterConfig').map(name => name.split('.')[0]!))
  return [...own].filter(name => !router.has(name) && name !== 'listen' && name !== 'admin')
}

test('the schema that is published has the options of the code, and no other', t => {
  const file = new URL('../../config.schema.json', import.meta.url)
  const schema: Schema = JSON.parse(readFileSync(file, 'utf8'))
  const fields = (type: string) => [...fieldsOf('breakwater/router', type)]
  const leaves = (names: string[]) =>
    names.filter(name => !names.some(other => other.startsWith(`${name}.`)))
  const { $schema: _, admin, listen, routes, users, ...others } = schema.properties!
  const { logFormat, usersFile, ...rest } = others
  t.deepEqual(Object.keys({ logFormat, usersFile }).sort(), [...serveOnly(fields)].sort())
  // A function cannot be in a file of data.
  const functions = ['routes', 'users', 'onHotKey', 'onStore', 'logger']
  const option = (name: string) => !functions.includes(name.split('.')[0]!)
  t.deepEqual(
    difference(pathsOf({ properties: rest }), leaves(fields('RouterOptions')).filter(option)),
    same,
  )
  t.deepEqual(difference(pathsOf(listen!), fields('ListenOptions')), same)
  t.deepEqual(difference(pathsOf(admin!), fields('AdminConfig')), same)
  const route = routes!.items!.anyOf!.find(({ properties }) => properties !== undefined)
  t.deepEqual(difference(pathsOf(route!), fields('RouterRoute')), same)
  t.deepEqual(difference(pathsOf(users!.items!), leaves(fields('RouterUser'))), same)
})

/** What each property of a schema may be that is one of several words, by its path. */
function choicesOf(
  { properties = {}, anyOf = [] }: Schema,
  before: string[] = [],
): [string, string][] {
  const own = Object.entries(properties).flatMap(([name, schema]): [string, string][] =>
    schema.enum
      ? [[[...before, name].join('-'), [...schema.enum].sort().join(' ')]]
      : choicesOf(schema, [...before, name]),
  )
  return [...own, ...anyOf.flatMap(schema => choicesOf(schema, before))]
}

test('the schema that is published allows the words that the command line does', t => {
  const schema = readFileSync(new URL('../../config.schema.json', import.meta.url), 'utf8')
  const kebab = (path: string) => path.replace(/[A-Z]/g, letter => `-${letter.toLowerCase()}`)
  const inFile = new Map(choicesOf(JSON.parse(schema)).map(([path, words]) => [kebab(path), words]))
  const { stdout } = spawnSync(process.execPath, [CLI, 'serve', '--help'], { encoding: 'utf8' })
  const help = stdout.split(/\n {2}(?:-\w, )?--/).slice(1)
  const options = help.flatMap(text => {
    const choices = /\(choices: ((?:"\w+"(?:, )?)+)/.exec(text)?.[1]
    return choices ? [{ option: text.split(' ')[0]!, choices: choices.match(/\w+/g)! }] : []
  })
  t.true(options.length > 5)
  for (const { option, choices } of options) {
    const allowed = inFile.get(option) ?? inFile.get(`store-${option}`)
    t.is(allowed, choices.sort().join(' '), option)
  }
})
