// Users in a file of their own: in each form, reloaded with the node, and refused as a whole where it is
// wrong, with its name, the path and what is allowed.
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { folderOf } from '../../helpers/folders.ts'
import { Raw, run, serve } from '../support.ts'

const CLI = fileURLToPath(new URL('../../../dist/cli.js', import.meta.url))
const OK = '+OK\r\n'

for (const [name, text] of [
  ['users.json', '[{ "name": "ada", "password": "sesame" }]'],
  ['users.json', '{ "users": [{ "name": "ada", "password": "sesame" }] }'],
  ['users.yaml', '- name: ada\n  password: sesame\n'],
  ['users.yml', 'users:\n  - { name: ada, password: sesame }\n'],
] as const) {
  test(`${name}: ${text.slice(0, 7).trim()}: users come from a file of their own`, async t => {
    const file = join(folderOf(t, 'users'), name)
    writeFileSync(file, text)
    const node = await serve(t, '--users', file, '--workers', '1')
    const client = await Raw.open(t, node.port)
    t.regex(await client.send('GET', 'key'), /^-NOAUTH/)
    t.is(await client.send('AUTH', 'ada', 'sesame'), OK)
    t.is(await node.stop(), 0)
  })
}

test('a reload takes the users that the file has then, and keeps those in force if it is wrong', async t => {
  t.timeout(120_000)
  const file = join(folderOf(t, 'users'), 'users.json')
  const write = (users: unknown) => writeFileSync(file, JSON.stringify(users))
  const ada = { name: 'ada', password: 'hidden-1' }
  write([ada])
  const node = await serve(t, '--users', file, '--workers', '1')
  const client = await Raw.open(t, node.port)
  t.is(await client.send('AUTH', 'ada', 'hidden-1'), OK)
  write([ada, { name: 'bob', password: 'hidden-2', acl: '~b:* +get' }])
  node.process.kill('SIGHUP')
  await node.says(/reloaded: users\[bob\]\n/)
  t.is(await client.send('AUTH', 'bob', 'hidden-2'), OK)
  t.is(await client.send('GET', 'b:1'), '$-1\r\n')

  const shown = file.replaceAll('.', '\\.')
  for (const [wrong, words] of [
    [[{ name: 'a b' }], `${shown}: \\[0\\]\\.name must be one word without colons, not 'a b'`],
    [{ users: [ada, ada] }, `${shown}: users\\[1\\]\\.name must be the name of one user only`],
    [[{ ...ada, password: ['hidden-3'] }], `${shown}: \\[0\\]\\.password must be a text`],
    [[{ ...ada, acl: '+@nothing' }], `${shown}: \\[0\\]\\.acl must be rules of Redis`],
    [[{ ...ada, limits: { connections: 0 } }], `${shown}: \\[0\\]\\.limits\\.connections must be`],
    [[{ ...ada, pasword: 'hidden-3' }], `${shown}: unknown option 'users\\[0\\]\\.pasword'`],
    [[{ ...ada, byToken: true }], `${shown}: users\\[0\\]\\.byToken .* cannot be combined`],
    [[7], `${shown}: \\[0\\] must be a user`],
    [{}, `${shown} must hold a list of users.*: it has no list`],
    [{ users: [], store: 'x' }, `${shown} must hold a list of users.*: it has other options`],
    ['hidden-3', `${shown} must hold a list of users`],
    [null, `${shown} must hold a list of users`],
  ] as const) {
    write(wrong)
    node.process.kill('SIGHUP')
    await node.says(new RegExp(`not reloaded: ${words}`))
  }
  writeFileSync(file, '[{ "password": "hidden-3"')
  node.process.kill('SIGHUP')
  await node.says(/not reloaded: users\.json cannot be read: it is not well-formed/)
  t.is(await client.send('ACL', 'WHOAMI').then(reply => reply.slice(0, 1)), '-')
  const other = await Raw.open(t, node.port)
  t.is(await other.send('AUTH', 'bob', 'hidden-2'), OK)

  // Who is in it no more has to go.
  write([ada])
  node.process.kill('SIGHUP')
  t.is(String(await client.rest()), '')
  t.is(await node.stop(), 0)
  t.notRegex(node.output(), /hidden/)
})

test('with --watch the file is reloaded when it changes', async t => {
  const file = join(folderOf(t, 'users'), 'users.yaml')
  writeFileSync(file, '- name: ada\n  password: sesame\n')
  const node = await serve(t, '--users', file, '--workers', '1', '--watch')
  writeFileSync(file, '- name: ada\n  password: sesame\n- name: bob\n  password: mellon\n')
  await node.says(/reloaded: users\[bob\]/)
  t.is(await node.stop(), 0)
})

test('a configuration names its file of users, which excludes other users', async t => {
  const folder = folderOf(t, 'users')
  const write = (name: string, value: unknown) => {
    const file = join(folder, name)
    writeFileSync(file, JSON.stringify(value))
    return file
  }
  const users = write('users.json', [{ name: 'ada', password: 'sesame' }])
  const good = await run('check', write('good.json', { usersFile: users }))
  t.is(good.code, 0, good.output)
  t.regex(good.output, /users +ada\n/)
  for (const [config, words] of [
    [{ usersFile: users, users: [] }, /json: users must be left out where there is .*usersFile/],
    [{ usersFile: users, password: 'hidden' }, /json: password must be left out/],
    [
      { usersFile: join(folder, 'none.json') },
      /usersFile must be a file, and .*none\.json is none/,
    ],
    [{ usersFile: 'users.txt' }, /usersFile must be a file of \.json, .*not 'users\.txt'/],
    [{ usersFile: 7 }, /usersFile must be a file of \.json, .*not number/],
  ] as const) {
    const { code, output } = await run('check', write('wrong.json', config))
    t.is(code, 1)
    t.regex(output, words)
    t.notRegex(output, /hidden/)
  }
  // What is nearer to the command replaces what is farther.
  const file = write('password.json', { password: 'of the file', workers: 1 })
  const node = await serve(t, '--config', file, '--users', users)
  const client = await Raw.open(t, node.port)
  t.is(await client.send('AUTH', 'ada', 'sesame'), OK)
  const both = ['serve', '--users', users, '--requirepass', 'hidden', '--port', '0']
  const { status, stderr } = spawnSync(process.execPath, [CLI, ...both], { encoding: 'utf8' })
  t.is(status, 1)
  t.regex(stderr, /--requirepass must be left out where there is --users/)
  t.notRegex(stderr, /hidden/)
})
