// `breakwater hash-password`: hashes a password for the configuration.
import { text } from 'node:stream/consumers'
import { Command } from 'commander'
import { hashPassword } from '../router/index.ts'

export const hashPasswordCommand = new Command('hash-password')
  .description(
    "Hash a password for 'passwordHashes' of a user. It is read from the standard input.",
  )
  .addHelpText(
    'after',
    `
Example:
  printf %s "$PASSWORD" | breakwater hash-password`,
  )
  .action(run)

async function run(_: object, command: Command): Promise<void> {
  if (process.stdin.isTTY) process.stderr.write('Password, then Enter and Ctrl+D:\n')
  const password = (await text(process.stdin)).replace(/\r?\n$/, '')
  if (password === '') return command.error('error: there is no password on the standard input')
  process.stdout.write(`${hashPassword(password)}\n`)
}
