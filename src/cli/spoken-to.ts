// The node that a command speaks to: by flags, the environment, or the configuration of this folder.
import type { Command } from 'commander'
import { InvalidOptionError } from '../base/errors.ts'
import { explained } from './check.ts'
import { RemoteNode } from './remote.ts'
import { type Flags, settingsOf } from './settings.ts'

/** Exit code of what was refused, or reached nobody. */
export const FAILED = 1

/** Gives a command the options that say which node it speaks to. */
export function withNode(command: Command): Command {
  return command
    .option('--admin <address>', "the node's admin entrance (default: that of the configuration)")
    .option('--admin-token-file <file>', 'the token for it')
    .option('-c, --config <file>', 'the configuration of the node; that of this folder, if any')
}

/**
 * The node that the options say; none, once it is told why there is none.
 *
 * @param missing - what is said where they say none.
 */
export async function nodeOf(
  flags: Flags,
  command: Command,
  missing = 'where is the node? Give --admin, or admin in its configuration',
): Promise<RemoteNode | undefined> {
  const settings = await settingsOf(flags, command).catch(error => fail(error))
  if (settings === undefined) return undefined
  const { admin } = settings.config
  if (admin?.listen === undefined) {
    return command.error(`error: ${missing}`)
  }
  try {
    return new RemoteNode(admin)
  } catch (error) {
    if (error instanceof InvalidOptionError) command.error(`error: ${explained(error, settings)}`)
    return fail(error)
  }
}

/** Says why a command failed. */
export function fail(error: unknown): undefined {
  process.stderr.write(`breakwater: ${(error as Error).message}\n`)
  process.exitCode = FAILED
}
