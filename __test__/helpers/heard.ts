// What a process prints, and a way to wait for it. The process ends with its test.
import type { spawn } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ExecutionContext } from 'ava'

export function heard(t: ExecutionContext, child: ReturnType<typeof spawn>) {
  t.teardown(() => child.kill('SIGKILL'))
  let text = ''
  let ended = false
  child.once('close', () => (ended = true))
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', chunk => (text += chunk))
  return {
    child,
    text: () => text,
    async says(words: RegExp) {
      while (!words.test(text)) {
        if (ended) throw new Error(`it ended and never said ${words}: ${text}`)
        await sleep(10)
      }
      return words.exec(text)!
    },
  }
}
