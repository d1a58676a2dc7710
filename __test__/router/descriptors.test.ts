// A node that the system gives no descriptor for another client: nobody waits for one that may never come.
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import test from 'ava'
import { Raw, serve } from './support.ts'

const bounded = existsSync('/usr/bin/prlimit') ? test : test.skip

for (const driver of ['native', 'net']) {
  bounded(
    `${driver}: clients without a descriptor are turned away at once, and all others served`,
    async t => {
      t.timeout(120_000)
      const node = await serve(t, '--threads', '1', '--driver', driver)
      const pid = `${node.process.pid}`
      const limit = (most: number) => execFileSync('prlimit', ['--pid', pid, `--nofile=${most}:`])
      const first = await Raw.open(t, node.port)
      t.is(await first.send('PING'), '+PONG\r\n')
      // Ten numbers are left that none has.
      const taken = new Set(readdirSync(`/proc/${pid}/fd`).map(Number))
      let most = 0
      for (let free = 0; free < 10; most++) if (!taken.has(most)) free++
      limit(most)
      const crowd = await Promise.all(Array.from({ length: 60 }, () => Raw.open(t, node.port)))
      const said = await Promise.all(crowd.map(client => client.send('PING')))
      const served = said.filter(text => text === '+PONG\r\n').length
      t.true(served > 0 && served < 60, `${served}`)
      for (const text of said)
        t.regex(text, /^(\+PONG\r\n|-ERR max number of clients reached\r\n|)$/)
      t.is(await first.send('PING'), '+PONG\r\n')
      for (const { socket } of crowd) socket.destroy()
      limit(4096)
      // Those who had one give it back.
      let answer = ''
      while (answer !== '+PONG\r\n') answer = await (await Raw.open(t, node.port)).send('PING')
    },
  )
}
