// The programs in examples/ do what they say.
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import test from 'ava'
import { root } from './code.ts'

test('examples/workers.mjs: four workers compute each report once', async t => {
  const file = join(root, 'examples/workers.mjs')
  const { stdout } = await promisify(execFile)(process.execPath, [file])
  t.regex(stdout, /^4 workers asked 40000 times for 100 reports\.$/m)
  t.regex(stdout, /^Computed: 100, by the workers: /m)
})

test('examples/gateway.mjs: each customer is loaded once, by the worker that owns it', async t => {
  const file = join(root, 'examples/gateway.mjs')
  const { stdout } = await promisify(execFile)(process.execPath, [file])
  t.regex(stdout, /^200 requests of 40 customers: 40 loads by 4 workers\.$/m)
})
