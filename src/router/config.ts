// The configuration of a router in one object, as a file has it.
import { checkKnown, checkOneOf } from '../base/checks.ts'
import { InvalidOptionError } from '../base/errors.ts'
import type { NativeOptions } from '../native/router.ts'
import { type AdminConfig, type CheckedAdmin, checkAdmin } from './admin.ts'
import { check, speaksTls } from './checking.ts'
import { type ListenOptions, type Plan, plan } from './entrances.ts'
import type { RouterOptions } from './options.ts'
import { readStoreTls, readTls } from './tls.ts'

/**
 * How `breakwater serve` writes its log: lines of JSON; words for a terminal, with time and level; or plain
 * lines of words. `'auto'`: for a terminal if there is one, otherwise plain lines.
 */
export type LogFormat = 'auto' | 'plain' | 'json' | 'pretty'

/** What `breakwater.config.ts` and its kin hold: the options of a router, and where it listens. */
export interface RouterConfig extends RouterOptions {
  /** Where it listens: what `router.listen` takes. */
  listen?: ListenOptions | undefined
  /** Where `breakwater serve` is administered. Default: nowhere. */
  admin?: AdminConfig | undefined
  /** How `breakwater serve` writes its log. Default: `'auto'`. */
  logFormat?: LogFormat | undefined
  /** A file of JSON or YAML that says who may connect, as `users` does, for `breakwater serve`. */
  usersFile?: string | undefined
}

const FORMATS: readonly LogFormat[] = ['auto', 'plain', 'json', 'pretty']

/** What a configuration comes to. */
export interface CheckedConfig {
  options: NativeOptions
  entrances: Plan[]
  admin: CheckedAdmin | undefined
}

/** The options of `listen`. */
export const LISTEN: readonly string[] = [
  'port',
  'tlsPort',
  'host',
  'unix',
  'unixPermissions',
  'fds',
  'proxyProtocol',
] satisfies (keyof ListenOptions)[]

/**
 * Gives a configuration back as it is: for the types of `breakwater.config.ts`.
 *
 * @example
 * ```ts
 * import { defineConfig } from 'breakwater/router'
 *
 * export default defineConfig({
 *   store: 'redis://127.0.0.1:6379',
 *   maxBytes: '256mb',
 *   routes: ['user:*,ttl=5s', '*,mode=off'],
 *   listen: { port: 6380 },
 * })
 * ```
 */
export function defineConfig(config: RouterConfig): RouterConfig {
  return config
}

/** The parts of a configuration: what `createRouter`, `listen` and `createAdmin` take. */
export interface ConfigParts {
  options: RouterOptions
  listen: ListenOptions
  admin: AdminConfig | undefined
}

/** The parts of a configuration. Throws {@link InvalidOptionError}. */
export function partsOf(config: RouterConfig): ConfigParts {
  if (typeof config !== 'object' || config === null || Array.isArray(config)) {
    throw new InvalidOptionError('configuration', config, 'an object of options')
  }
  const { listen = {}, admin, logFormat, usersFile, ...options } = config
  if (logFormat !== undefined) checkOneOf('logFormat', logFormat, FORMATS)
  if (usersFile !== undefined && (typeof usersFile !== 'string' || usersFile === '')) {
    throw new InvalidOptionError('usersFile', usersFile, 'the name of a file')
  }
  if (typeof listen !== 'object' || listen === null || Array.isArray(listen)) {
    throw new InvalidOptionError('listen', listen, 'an object, as { port: 6380 }')
  }
  checkKnown('listen.', listen, LISTEN)
  return { options, listen, admin }
}

/** Checks all that can be checked without opening anything; files of TLS are read. */
export function checkConfig(config: RouterConfig, version: string): CheckedConfig {
  const { options, listen, admin } = partsOf(config)
  const checked = check(options, version)
  if (options.tls !== undefined) readTls(options.tls)
  if (speaksTls(checked)) readStoreTls(options.storeTls)
  return {
    options: checked,
    entrances: plan(listen, options.tls !== undefined),
    admin: admin === undefined ? undefined : checkAdmin(admin),
  }
}
