// The users of a router: their shapes, and their checks.
import { checkFlag, checkKnown, checkOneOf } from '../base/checks.ts'
import { InvalidOptionError, OptionCombinationError } from '../base/errors.ts'
import { hashPassword as hash, type NativeUser, wrongRule } from '../native/router.ts'
import { checkLimits, type LimitOptions } from './quota.ts'
import { CONCERNS, type ReadConcern } from './routes.ts'

/** What a user may do: read keys, write keys, administer; `all` is all three. */
export type Permission = 'read' | 'write' | 'admin' | 'all'

/** Somebody who may connect. The user named `default` is who a client is that gives no name. */
export interface RouterUser {
  /** Its name: one word without colons. */
  name: string
  /** Its password; without one and without `passwordHashes` and `acl`, any will do. */
  password?: string | undefined
  /**
   * Hashes of passwords, any of which will do: those that `breakwater hash-password` prints, or
   * SHA-256 in hexadecimal digits, as Redis keeps them.
   */
  passwordHashes?: string[] | undefined
  /** What it may do. Default: `['all']`. Not together with `acl`. */
  permissions?: Permission[] | undefined
  /**
   * What it may do, by the rules of Redis: `'~user:* &news:* +@read -keys'`. It may do nothing that
   * they do not permit, and needs a password unless one of them is `nopass`.
   */
  acl?: string | undefined
  /**
   * Whether a token may name it: see `tokens`. Then it has no password unless one is given, and `nopass`
   * among its rules does not count. Default: `false`.
   */
  byToken?: boolean | undefined
  /** Where its reads are answered from. Default: as the route of its key says. */
  readConcern?: ReadConcern | undefined
  /** How much all its connections together may use. Default: as much as they like. */
  limits?: LimitOptions | undefined
}

const PERMISSIONS: readonly string[] = ['read', 'write', 'admin', 'all'] satisfies Permission[]
const KNOWN: readonly string[] = [
  'name',
  'password',
  'passwordHashes',
  'permissions',
  'acl',
  'byToken',
  'readConcern',
  'limits',
] satisfies (keyof RouterUser)[]
const RULES = "rules of Redis, as '~user:* &news:* +@read -keys'"

/** Who may connect; `undefined` if anybody may. Throws {@link InvalidOptionError}. */
export function checkUsers(
  password: string | undefined,
  users: RouterUser[] | undefined,
  tokens = false,
): NativeUser[] | undefined {
  if (password !== undefined) {
    if (users !== undefined) {
      throw new InvalidOptionError('password', 'given', 'left out where there are users')
    }
    return [{ name: 'default', password: checkPassword('', password), permissions: 'all' }]
  }
  // Where tokens are taken, nobody gets in without one.
  if (users === undefined) return tokens ? [] : undefined
  // A text may be a name and a password.
  if (!Array.isArray(users))
    throw new InvalidOptionError('users', typeof users, 'an array of users')
  const names = new Set<string>()
  return users.map((user, index) => {
    const checked = checkUser(user, index)
    if (user.byToken === true && !tokens) {
      throw new OptionCombinationError(
        `users[${index}].byToken`,
        true,
        'no tokens',
        'tokens says which are taken',
      )
    }
    if (names.has(checked.name)) {
      throw new InvalidOptionError(
        `users[${index}].name`,
        checked.name,
        'the name of one user only',
      )
    }
    names.add(checked.name)
    return checked
  })
}

/**
 * Hashes a password for `passwordHashes`, by Argon2id with a new salt: 19 MiB of memory and two
 * passes, some 30 ms.
 *
 * @example
 * ```ts
 * import assert from 'node:assert/strict'
 * import { hashPassword } from 'breakwater/router'
 *
 * assert.match(hashPassword('a long secret'), /^\$argon2id\$v=19\$m=19456,t=2,p=1\$/)
 * ```
 */
export function hashPassword(password: string): string {
  return hash(checkPassword('', password))
}

/** @param owner - whose it is, as the path of an option begins. */
function checkPassword(owner: string, password: unknown): string {
  if (typeof password === 'string' && password !== '') return password
  // Its value stays out of the message.
  throw new InvalidOptionError(`${owner}password`, typeof password, 'a text that is not empty')
}

function checkUser(user: RouterUser, index: number): NativeUser {
  const path = `users[${index}]`
  if (typeof user !== 'object' || user === null) {
    throw new InvalidOptionError(path, typeof user, "a user, as { name: 'ada', password: '…' }")
  }
  checkKnown(`${path}.`, user, KNOWN)
  const { name, password, readConcern, byToken = false } = user
  if (typeof name !== 'string' || !/^[^\s:]+$/.test(name)) {
    throw new InvalidOptionError(`${path}.name`, name, 'one word without colons')
  }
  if (readConcern !== undefined) checkOneOf(`${path}.readConcern`, readConcern, CONCERNS)
  return {
    name,
    password: password === undefined ? undefined : checkPassword(`${path}.`, password),
    passwordHashes: checkHashes(path, user.passwordHashes),
    permissions: checkPermissions(path, user),
    acl: checkRules(path, user.acl),
    byToken: Number(checkFlag(`${path}.byToken`, byToken)),
    readConcern,
    limits: checkLimits(`${path}.limits`, user.limits),
  }
}

function checkPermissions(path: string, { permissions, acl }: RouterUser): string {
  if (acl !== undefined && permissions !== undefined) {
    throw new InvalidOptionError(`${path}.permissions`, permissions, 'left out where there is acl')
  }
  const given = permissions ?? ['all']
  const all = `some of ${PERMISSIONS.join(', ')}`
  if (!Array.isArray(given) || given.length === 0) {
    throw new InvalidOptionError(`${path}.permissions`, given, all)
  }
  const wrong = given.find(permission => !PERMISSIONS.includes(permission))
  if (wrong !== undefined) throw new InvalidOptionError(`${path}.permissions`, wrong, all)
  return given.join(',')
}

function checkRules(path: string, acl: unknown): string | undefined {
  if (acl === undefined) return undefined
  if (typeof acl !== 'string') throw new InvalidOptionError(`${path}.acl`, typeof acl, RULES)
  const wrong = wrongRule(acl)
  if (wrong !== undefined) throw new InvalidOptionError(`${path}.acl`, wrong, RULES)
  return acl
}

function checkHashes(path: string, hashes: unknown): string[] | undefined {
  if (hashes === undefined) return undefined
  const allowed = "hashes of 'breakwater hash-password', or SHA-256 in hexadecimal digits"
  if (!Array.isArray(hashes) || hashes.length === 0) {
    throw new InvalidOptionError(`${path}.passwordHashes`, typeof hashes, `a list of ${allowed}`)
  }
  for (const [at, one] of hashes.entries()) {
    const good = typeof one === 'string' && /^(\$argon2id\$\S+|[\da-fA-F]{64})$/.test(one)
    if (good && wrongRule(one.startsWith('$') ? one : `#${one}`) === undefined) continue
    // Its value stays out of the message.
    throw new InvalidOptionError(
      `${path}.passwordHashes[${at}]`,
      typeof one,
      `one of the ${allowed}`,
    )
  }
  return hashes
}
