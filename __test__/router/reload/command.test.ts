// How `breakwater serve` reloads its file: by SIGHUP, and by itself with --watch.
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { folderOf } from '../../helpers/folders.ts'
import { Raw, serve } from '../support.ts'

const config = (text: string) => `listen: { port: 0 }\nthreads: 1\n${text}`

/** A node that watches its file, which allows seven clients. */
async function watching(t: ExecutionContext) {
  t.timeout(180_000)
  const file = join(folderOf(t, 'reload'), 'breakwater.config.yaml')
  writeFileSync(file, config('maxClients: 7'))
  return { file, node: await serve(t, '--config', file, '--watch') }
}

test('SIGHUP reloads the file, or says what is wrong and goes on', async t => {
  t.timeout(180_000)
  const file = join(folderOf(t, 'reload'), 'breakwater.config.yaml')
  writeFileSync(file, config('maxClients: 7'))
  const node = await serve(t, '--config', file)
  const client = await Raw.open(t, node.port)
  const most = async () => /maxclients:(\d+)/.exec(await client.send('INFO', 'clients'))?.[1]
  t.is(await most(), '7')
  writeFileSync(file, config('maxClients: 8'))
  node.process.kill('SIGHUP')
  await node.says(/breakwater: reloaded: maxClients\n/)
  t.is(await most(), '8')
  writeFileSync(file, config('maxClients: none'))
  node.process.kill('SIGHUP')
  await node.says(/not reloaded: .*yaml: maxClients must be a whole number .* not 'none'\n/)
  writeFileSync(file, 'maxClients: [')
  node.process.kill('SIGHUP')
  await node.says(/not reloaded: breakwater\.config\.yaml cannot be read: it is not well-formed/)
  writeFileSync(file, config('policy: lru'))
  node.process.kill('SIGHUP')
  await node.says(/yaml: policy must be 'lfu' until the node is started anew, not 'lru'\n/)
  t.is(await most(), '8')
  t.regex(await client.send('INFO', 'reload'), /reload_count:1\r\n[\s\S]*refusal:policy must be/)
})

test('a module is read anew, and flags win over it as at the start', async t => {
  t.timeout(180_000)
  const dir = folderOf(t, 'reload')
  for (const kind of ['mjs', 'cjs', 'ts']) {
    const file = join(dir, `own.${kind}`)
    const write = (most: number) => {
      const given = `{ maxClients: ${most}, tracking: { maxKeys: ${most} } }`
      writeFileSync(file, kind === 'cjs' ? `module.exports = ${given}` : `export default ${given}`)
    }
    write(7)
    const node = await serve(t, '--config', file, '--threads', '1', '--max-clients', '9')
    for (const most of [8, 9]) {
      write(most)
      node.process.kill('SIGHUP')
      await node.says(RegExp(`(breakwater: reloaded: tracking.maxKeys\n){${most - 7}}`))
    }
    const client = await Raw.open(t, node.port)
    t.regex(await client.send('INFO', 'clients'), /maxclients:9\r/)
  }
})

test('--watch reloads when the file changes, and reads on after one that is wrong', async t => {
  const { file, node } = await watching(t)
  writeFileSync(file, config('maxClients:'.repeat(2)))
  await node.says(/not reloaded/)
  writeFileSync(file, config('maxClients: 123'))
  await node.says(/breakwater: reloaded: maxClients\n/)
  const client = await Raw.open(t, node.port)
  t.regex(await client.send('INFO', 'clients'), /maxclients:123\r/)
})

test('--watch misses nothing: a file that changes while it is read is read again', async t => {
  t.timeout(180_000)
  const file = join(folderOf(t, 'reload'), 'own.mjs')
  const written = (most: number) =>
    `export default { listen: { port: 0 }, threads: 1, maxClients: ${most} }\n`
  const becomes = `writeFileSync(${JSON.stringify(file)}, ${JSON.stringify(written(123))})`
  writeFileSync(file, `import { writeFileSync } from 'node:fs'\n${becomes}\n${written(7)}`)
  const node = await serve(t, '--config', file, '--watch')
  await node.says(/breakwater: reloaded: maxClients\n/)
  const client = await Raw.open(t, node.port)
  t.regex(await client.send('INFO', 'clients'), /maxclients:123\r/)
})

test('--watch hears of a file again that was gone', async t => {
  const { file, node } = await watching(t)
  rmSync(file)
  await node.says(/not reloaded/)
  writeFileSync(file, config('maxClients: 123'))
  t.regex(await node.says(/reloaded: maxClients\n/), /breakwater: reloaded: maxClients\n/)
})
