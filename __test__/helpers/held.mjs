// Loaded before a program: at SIGUSR2 its file system answers no more. The one thread that Node.js is given
// for it waits for somebody who writes to the pipe HELD, and nobody does.
import { open } from 'node:fs'
import { isMainThread } from 'node:worker_threads'

if (isMainThread) process.on('SIGUSR2', () => open(process.env.HELD, 'r', () => {}))
