// Real-world usages compile against lru-cache and against the drop-in; wrong ones against neither.
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test from 'ava'

const tsc = fileURLToPath(new URL('../../node_modules/typescript/bin/tsc', import.meta.url))
const usages = new URL('usages/', import.meta.url)

/** What the compiler has to say of the usages. */
async function compile(config: string): Promise<string> {
  const project = fileURLToPath(new URL(config, usages))
  const args = [tsc, '-p', project]
  try {
    const { stdout } = await promisify(execFile)(process.execPath, args)
    return stdout
  } catch (error) {
    return (error as { stdout?: string }).stdout || String(error)
  }
}

test.serial('lru-cache: the usages compile', async t => {
  t.is(await compile('tsconfig.theirs.json'), '')
})

test.serial('breakwater: the usages compile', async t => {
  t.is(await compile('tsconfig.ours.json'), '')
})

test.serial('breakwater: the usages compile less strictly', async t => {
  t.is(await compile('tsconfig.loose.json'), '')
})
