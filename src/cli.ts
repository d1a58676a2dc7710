#!/usr/bin/env node
// The command `breakwater`.
import { Command, CommanderError } from 'commander'
import { bench } from './cli/bench.ts'
import { check } from './cli/check.ts'
import { hashPasswordCommand } from './cli/hash-password.ts'
import { flush, inspect, invalidate } from './cli/memory.ts'
import { drain, reload, restart, status } from './cli/orders.ts'
import { record } from './cli/record.ts'
import { serve } from './cli/serve.ts'
import { simulate } from './cli/simulate.ts'
import { tokenCommand } from './cli/token.ts'
import { top } from './cli/top.ts'
import { version } from './router/index.ts'

const commands = [
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

// Whoever reads what it says may go, as `head` does; a node serves on.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})

const program = new Command('breakwater')
  .description('A cache engine for Node.js, and a routing node that Redis clients connect to.')
  .version(version(), '-v, --version', 'print the version')
  .helpOption('-h, --help', 'print this help')
  .helpCommand(false)
  .exitOverride()
  .configureOutput({ outputError: text => process.stderr.write(`breakwater: ${text}`) })

for (const command of commands) program.addCommand(command)
const parts = commands.flatMap(command => command.commands)
for (const command of [program, ...commands, ...parts])
  command.exitOverride().copyInheritedSettings(program)

program.parseAsync().catch(error => {
  if (!(error instanceof CommanderError)) throw error
  // Help and version are no errors; everything else is bad usage.
  process.exitCode = error.exitCode === 0 ? 0 : 2
})
