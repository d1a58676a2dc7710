// The commands of `breakwater`, in the order in which its help lists them.
import type { Command } from 'commander'
import { bench } from './bench.ts'
import { check } from './check.ts'
import { hashPasswordCommand } from './hash-password.ts'
import { flush, inspect, invalidate } from './memory.ts'
import { drain, reload, restart, status } from './orders.ts'
import { record } from './record.ts'
import { serve } from './serve.ts'
import { simulate } from './simulate.ts'
import { tokenCommand } from './token.ts'
import { top } from './top.ts'

export const commands: readonly Command[] = [
  serve,
  check,
  status,
  reload,
  restart,
  drain,
  inspect,
  invalidate,
  flush,
  top,
  simulate,
  record,
  bench,
  hashPasswordCommand,
  tokenCommand,
]
