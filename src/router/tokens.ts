// The signed tokens that a router takes as passwords: the shapes of its options, their checks, and the
// files of keys and revocations, read. An error names the file, never what is in it.
import type { KeyObject } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { builtin } from '../base/builtin.ts'
import { checkDuration, checkKnown } from '../base/checks.ts'
import { InvalidOptionError, OptionCombinationError } from '../base/errors.ts'
import type { Duration } from '../base/types.ts'
import { type NativeTokenKey, type NativeTokens, wrongTemplate } from '../native/router.ts'
import { checkLimits, type LimitOptions } from './quota.ts'

/** A file of keys, and their name. */
export interface TokenKeyFile {
  /** PEM of public keys or certificates, a JWK, or a JWKS. */
  file: string
  /** What tokens call the key (`kid`), if the file does not say. Without a name it is tried for all. */
  id?: string | undefined
}

/** Which signed tokens (JWT) clients may give as passwords. */
export interface TokenOptions {
  /**
   * Files of the keys whose signatures count: PEM of public keys or certificates, a JWK, or a JWKS.
   * RSA keys are for RS256, those of P-256 for ES256, of Ed25519 for EdDSA, secrets (`kty: 'oct'`, 32
   * bytes or more) for HS256. Several at once let them be changed without a pause.
   */
  keys: (string | TokenKeyFile)[]
  /** What `iss` has to be. Default: anything. */
  issuer?: string | undefined
  /** What `aud` has to have one of. Default: anything. */
  audience?: string | string[] | undefined
  /** The claim that names the user. Default: `'sub'`. */
  claim?: string | undefined
  /**
   * What those may do whom a token names and who are not among `users`: rules of Redis, in whose
   * patterns claims stand in braces, as in `'~{tenant}:* +@read'`. A claim that is a list gives a rule
   * for each of its values. Default: they may not connect.
   */
  acl?: string | undefined
  /**
   * How much each of those may use who come by `acl`, by all connections together: who has the same name
   * shares it, whatever token it brings. Default: as much as they like.
   */
  limits?: LimitOptions | undefined
  /** By how much the clocks of the issuer and of the node may differ. Default: 0. */
  clockSkew?: Duration | undefined
  /**
   * A file of the `jti` of tokens that do not count any more, one a line. With it, a token needs a
   * `jti`. A reload reads it anew.
   */
  revoked?: string | undefined
}

const KNOWN: readonly string[] = [
  'keys',
  'issuer',
  'audience',
  'claim',
  'acl',
  'limits',
  'clockSkew',
  'revoked',
] satisfies (keyof TokenOptions)[]

/** The most keys: one that does not say its name is tried for each token. */
const MOST_KEYS = 16
const DAY = 24 * 60 * 60 * 1000

/** Checks which tokens are taken, and reads the files. Throws {@link InvalidOptionError}. */
export function readTokens(options: TokenOptions): NativeTokens {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new InvalidOptionError('tokens', typeof options, "an object, as { keys: ['issuer.pem'] }")
  }
  checkKnown('tokens.', options, KNOWN)
  const { issuer, audience = [], claim = 'sub', acl, clockSkew = 0, revoked } = options
  const limits = limitsOf(options)
  return {
    keys: readKeys(options.keys),
    issuer: issuer === undefined ? undefined : word('tokens.issuer', issuer),
    audience: [audience].flat().map((name, at) => word(`tokens.audience[${at}]`, name)),
    claim: word('tokens.claim', claim),
    skew: skewOf(clockSkew),
    template: acl === undefined ? undefined : templateOf(acl),
    limits,
    revoked: revoked === undefined ? undefined : read('tokens.revoked', revoked),
  }
}

function limitsOf({ acl, limits }: TokenOptions) {
  if (limits === undefined || acl !== undefined) return checkLimits('tokens.limits', limits)
  const why = 'limits are for those who come by acl: users have their own'
  throw new OptionCombinationError('tokens.limits', 'given', 'no tokens.acl', why)
}

function word(option: string, value: unknown): string {
  if (typeof value === 'string' && value !== '') return value
  throw new InvalidOptionError(option, value, 'a text that is not empty')
}

/** In whole seconds, as tokens have them. */
function skewOf(clockSkew: Duration): number {
  if (clockSkew === 0) return 0
  const skew = checkDuration('tokens.clockSkew', clockSkew)
  if (skew <= DAY) return Math.ceil(skew / 1000)
  throw new InvalidOptionError('tokens.clockSkew', clockSkew, 'a duration of a day at the most')
}

function templateOf(acl: string): string {
  const allowed = "rules of Redis with claims in braces, as '~{tenant}:* +@read'"
  if (typeof acl !== 'string') throw new InvalidOptionError('tokens.acl', typeof acl, allowed)
  const wrong = wrongTemplate(acl)
  if (wrong === undefined) return acl
  throw new InvalidOptionError('tokens.acl', wrong, allowed)
}

function readKeys(files: (string | TokenKeyFile)[]): NativeTokenKey[] {
  if (!Array.isArray(files) || files.length === 0) {
    throw new InvalidOptionError('tokens.keys', typeof files, 'a list of files of keys')
  }
  const keys = files.flatMap((given, at) => {
    const path = `tokens.keys[${at}]`
    if (typeof given === 'string') return keysOf(path, given, undefined)
    if (typeof given !== 'object' || given === null) {
      throw new InvalidOptionError(path, typeof given, "a file, as 'issuer.pem'")
    }
    checkKnown(`${path}.`, given, ['file', 'id'])
    const { file, id } = given
    return keysOf(`${path}.file`, file, id === undefined ? id : word(`${path}.id`, id))
  })
  if (keys.length <= MOST_KEYS) return keys
  throw new InvalidOptionError('tokens.keys', keys.length, `${MOST_KEYS} keys at the most`)
}

/** The keys of a file, which have this name if it says none. */
function keysOf(option: string, file: string, id: string | undefined): NativeTokenKey[] {
  const text = read(option, file)
  const keys = text.trimStart().startsWith('{') ? ofJwks(option, file, text) : ofPem(text)
  const good = keys.map(key => nativeKey(key.key, key.id ?? id)).filter(key => key !== undefined)
  if (good.length > 0) return good
  const allowed =
    'a file with a key for RS256 (2048 bits or more), ES256, EdDSA or HS256 (32 bytes or more), ' +
    'as PEM of a public key, JWK or JWKS'
  throw new InvalidOptionError(option, file, allowed)
}

/** A key of any kind, and its name. */
interface FoundKey {
  key: KeyObject
  id?: string | undefined
}

function ofPem(text: string): FoundKey[] {
  const kinds = '(?:RSA )?PUBLIC KEY|CERTIFICATE'
  const blocks = text.match(new RegExp(`-----BEGIN (${kinds})-----[^-]+-----END \\1-----`, 'g'))
  return (blocks ?? []).flatMap(block => found(() => publicKey(block)))
}

/** The keys of a JWK or JWKS that are for signatures. */
function ofJwks(option: string, file: string, text: string): FoundKey[] {
  let whole: { keys?: unknown }
  try {
    whole = JSON.parse(text)
  } catch {
    throw new InvalidOptionError(option, file, 'a file of JSON that is well-formed')
  }
  const all: unknown[] = Array.isArray(whole.keys) ? whole.keys : [whole]
  return all.flatMap(one => {
    const jwk = (one ?? {}) as Record<string, string>
    if ('d' in jwk) {
      throw new InvalidOptionError(option, file, 'a file of public keys: it has a private one')
    }
    if (jwk.use !== undefined && jwk.use !== 'sig') return []
    return found(() => ofJwk(jwk), jwk.kid)
  })
}

function ofJwk(jwk: Record<string, string>): KeyObject | undefined {
  const { createSecretKey } = builtin('node:crypto')
  const secret = jwk.kty === 'oct'
  const key = secret
    ? createSecretKey(String(jwk.k), 'base64url')
    : publicKey({ key: jwk, format: 'jwk' })
  const [algorithm] = algorithmOf(key.export({ format: 'jwk' })) ?? []
  return jwk.alg === undefined || jwk.alg === algorithm ? key : undefined
}

function publicKey(from: unknown): KeyObject {
  return builtin('node:crypto').createPublicKey(from as string)
}

/** What can be understood, or nothing. */
function found(make: () => KeyObject | undefined, id?: string): FoundKey[] {
  try {
    const key = make()
    return key === undefined ? [] : [{ key, id }]
  } catch {
    return []
  }
}

function nativeKey(key: KeyObject, id: string | undefined): NativeTokenKey | undefined {
  const [algorithm, ...parts] = algorithmOf(key.export({ format: 'jwk' })) ?? []
  if (algorithm === undefined) return undefined
  return { algorithm, id, parts }
}

/** The algorithm that a key is for, and its parts. */
function algorithmOf(
  jwk: Record<string, unknown>,
): [NativeTokenKey['algorithm'], ...parts: string[]] | undefined {
  const { kty, crv, k = '', n = '', e = '', x = '', y = '' } = jwk as Record<string, string>
  const bytes = (part: string) => Buffer.from(part, 'base64url').length
  if (kty === 'oct' && bytes(k) >= 32) return ['HS256', k]
  if (kty === 'RSA' && bytes(n) >= 256 && bytes(n) <= 1024) return ['RS256', n, e]
  if (kty === 'EC' && crv === 'P-256') return ['ES256', x, y]
  if (kty === 'OKP' && crv === 'Ed25519') return ['EdDSA', x]
  return undefined
}

function read(option: string, file: string): string {
  try {
    return readFileSync(word(option, file), 'utf8')
  } catch (error) {
    if (error instanceof InvalidOptionError) throw error
    const { code } = error as NodeJS.ErrnoException
    throw new InvalidOptionError(option, file, `a file that can be read (${code})`)
  }
}
