#!/usr/bin/env node
// The command `breakwater`.
import { Command, CommanderError } from 'commander'
import { commands } from './cli/commands.ts'
import { version } from './router/index.ts'

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
