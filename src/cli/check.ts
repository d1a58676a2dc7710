// `breakwater check`: says what a configuration comes to, or what is wrong with it.
import { Command } from 'commander'
import { BreakwaterError, InvalidOptionError } from '../base/errors.ts'
import { type CheckedConfig, checkConfig } from '../router/config.ts'
import { type Plan, speaksTls } from '../router/entrances.ts'
import { version } from '../router/index.ts'
import { described as shownServer } from '../router/store-url.ts'
import { ConfigFileError } from './file.ts'
import { type Flags, pathIn, type Settings, settingsOf } from './settings.ts'
import { sized } from './table.ts'

export const check = new Command('check')
  .description('Check a configuration, and say what would run. Nothing is opened.')
  .argument('[file]', 'the file (default: breakwater.config.{ts,js,json,yaml} of this folder)')
  .addHelpText(
    'after',
    `
Exit codes: 0 it is good, 1 there is no such file or it cannot be read, 2 an option in it is wrong.`,
  )
  .action(run)

async function run(file: string | undefined): Promise<void> {
  let settings: Settings
  try {
    settings = await settingsOf({ config: file } as Flags)
  } catch (error) {
    if (!(error instanceof ConfigFileError)) throw error
    return fail(1, error.message)
  }
  if (settings.file === undefined) {
    return fail(1, 'there is no breakwater.config.{ts,js,json,yaml} in this folder')
  }
  try {
    process.stdout.write(described(settings, checkConfig(settings.config, version())))
  } catch (error) {
    if (!(error instanceof BreakwaterError)) throw error
    fail(2, explained(error, settings))
  }
}

/** What is wrong, with the name that the option has where it was given. */
export function explained(error: unknown, { nameOf, fileOf }: Settings): string {
  const { message, option = '' } = error as Error & { option?: string }
  if (error instanceof InvalidOptionError && !message.startsWith('unknown option')) {
    return `${nameOf(error.option)} must be ${error.allowed}, not ${error.value}`
  }
  const file = fileOf(option)
  return file === undefined ? message : `${file}: ${message.replace(option, pathIn(option))}`
}

function fail(code: number, message: string): void {
  process.stderr.write(`breakwater: ${message}\n`)
  process.exitCode = code
}

function described({ file, config }: Settings, { options, entrances }: CheckedConfig): string {
  const [primary, ...replicas] = options.servers ?? []
  const store = primary === undefined ? 'a store of its own' : `in front of ${shownServer(primary)}`
  const users = options.users?.map(({ name }) => name).join(', ') ?? 'anybody'
  const routes = (config.routes ?? []).map(route =>
    typeof route === 'string' ? route : route.match,
  )
  const lines = [
    ['listens on', entrances.map(told).join(', ')],
    ['serves', store],
    ...(replicas.length === 0
      ? []
      : [
          [
            options.announce === undefined ? 'replicas' : 'and',
            replicas.map(shownServer).join(', '),
          ],
        ]),
    [config.mode ?? 'threads', String(options.threads)],
    ['memory', `${sized({ capacity: options.maxBytes!, inBytes: true })}, ${options.policy}`],
    ['users', users],
    ...(routes.length === 0 ? [] : [['routes', routes.join('; ')]]),
  ]
  return `${file} is good:\n${lines.map(([what, is]) => `  ${what!.padEnd(11)} ${is}\n`).join('')}`
}

function told(entrance: Plan): string {
  if ('path' in entrance) return entrance.path
  const secure = speaksTls(entrance.kind) ? ' (TLS)' : ''
  const place = 'fd' in entrance ? `descriptor ${entrance.fd}` : `${entrance.host}:${entrance.port}`
  return `${place}${secure}`
}
