// What a node goes by, without secrets: what it remembers, and who may do what.
import type { RouterOptions, RouterStats } from '../router/index.ts'
import { figure } from './format.ts'

/** What is in force, as names and values. */
export function aboutOf(options: RouterOptions, stats: RouterStats): [string, string][] {
  const { maxClients = 10_000, password, users, tokens, tls } = options
  const bound = stats.maxBytes === undefined ? 'any number' : figure(stats.maxBytes, 'bytes')
  return [
    ['policy', stats.policy],
    ['most bytes', bound],
    ['most clients', maxClients === 0 ? 'any number' : maxClients.toLocaleString('en')],
    ['threads', `${stats.threads.length}`],
    ['who may', whoMay(password, users, tokens)],
    ['TLS', tls === undefined ? 'no' : 'yes'],
  ]
}

/** Who may do what; passwords, hashes and keys are left out. */
function whoMay(
  password: RouterOptions['password'],
  users: RouterOptions['users'],
  tokens: RouterOptions['tokens'],
): string {
  const named = (users ?? []).map(({ name, permissions, acl }) => {
    return `${name} (${acl === undefined ? (permissions ?? ['all']).join(', ') : 'by rules'})`
  })
  const ways = [
    ...(password === undefined ? [] : ['whoever has the password']),
    ...named,
    ...(tokens === undefined ? [] : ['tokens']),
  ]
  return ways.length === 0 ? 'anybody' : ways.join('; ')
}
