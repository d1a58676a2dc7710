import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import test from 'ava'

const run = promisify(execFile)

test('workers that load the package before the main thread does may come and go', async t => {
  // The main thread of this process never loads it: threads that ended may share their ids with new ones.
  const worker = `
    const { Cache } = require('breakwater')
    const cache = new Cache({ max: 10 })
    for (let i = 0; i < 100; i++) cache.set('a' + i, 'b')
  `
  const main = `
    const { Worker } = require('node:worker_threads')
    const { once } = require('node:events')
    ;(async () => {
      for (let i = 0; i < 10; i++) await once(new Worker(${JSON.stringify(worker)}, { eval: true }), 'exit')
      console.log('all ended')
    })()
  `
  const { stdout } = await run(process.execPath, ['--eval', main])
  t.is(stdout.trim(), 'all ended')
})
