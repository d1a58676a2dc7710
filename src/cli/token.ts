// `breakwater token`: makes signed tokens for clients of a node, and shows what tokens say.
import { createHmac, createPrivateKey, randomUUID, sign } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { Command } from 'commander'
import { dateNow, momentOf } from '../base/runtime.ts'
import { milliseconds } from '../base/units.ts'

/** What `breakwater token make` is told. */
interface MakeFlags {
  key: string
  kid?: string
  subject: string
  expires: string
  issuer?: string
  audience?: string
  claim?: string[]
}

const make = new Command('make')
  .description('Sign a token by a private key, or a secret, and print it.')
  .requiredOption(
    '-k, --key <file>',
    "PEM of a private key, or a JWK with 'd' or 'k'; - reads it from the standard input",
  )
  .requiredOption('-s, --subject <name>', 'whose it is: sub')
  .option('-e, --expires <duration>', 'for how long it counts', '1h')
  .option('--kid <name>', 'the name of the key (default: that of the JWK)')
  .option('--issuer <text>', 'iss')
  .option('--audience <text>', 'aud')
  .option('--claim <name=value>', 'another claim, as JSON or text; may be repeated', more)
  .addHelpText(
    'after',
    `
Example:
  breakwater token make --key issuer.key --subject ada --expires 15m --claim tenant=shop`,
  )
  .action(runMake)

const inspect = new Command('inspect')
  .description(
    'Show what the token on the standard input says, and when it counts. The signature is not ' +
      'checked, and not shown.',
  )
  .addHelpText(
    'after',
    `
Exit codes: 0 it has the form of a token, 1 it has not.

Example:
  printf %s "$TOKEN" | breakwater token inspect`,
  )
  .action(runInspect)

export const tokenCommand = new Command('token')
  .description('Make and inspect signed tokens (JWT), which are passwords for a node.')
  .addCommand(make)
  .addCommand(inspect)

async function runMake(flags: MakeFlags, command: Command): Promise<void> {
  const refuse = (why: string): never => command.error(`error: ${why}`)
  let lifetime = 0
  try {
    lifetime = Math.ceil(milliseconds('--expires', flags.expires as '1h') / 1000)
  } catch {
    refuse(`--expires must be a duration as '15m', not '${flags.expires}'`)
  }
  if (!Number.isSafeInteger(lifetime)) refuse('--expires must be a duration that ends')
  const signer = signerOf(await keyText(flags.key, refuse))
  if (signer === undefined) {
    refuse(
      `--key must be a private key for RS256 (2048 bits or more), ES256 or EdDSA, as PEM or JWK, ` +
        `or a JWK with a secret of 32 bytes or more: ${flags.key} has none`,
    )
    return
  }
  const now = Math.floor(dateNow() / 1000)
  const claims: Record<string, unknown> = {
    ...Object.fromEntries((flags.claim ?? []).map(claim => claimOf(claim, refuse))),
    sub: flags.subject,
    iat: now,
    exp: now + lifetime,
    jti: randomUUID(),
  }
  if (flags.issuer !== undefined) claims.iss = flags.issuer
  if (flags.audience !== undefined) claims.aud = flags.audience
  const header = { alg: signer.algorithm, typ: 'JWT', kid: flags.kid ?? signer.id }
  const signed = [header, claims].map(part => encoded(JSON.stringify(part))).join('.')
  process.stdout.write(`${signed}.${encoded(signer.sign(Buffer.from(signed)))}\n`)
}

/** Somebody who signs. */
interface Signer {
  algorithm: string
  id: string | undefined
  sign(bytes: Buffer): Buffer
}

/** Who signs by a private key or a secret; `undefined` if the text holds none that will do. */
function signerOf(text: string): Signer | undefined {
  try {
    const jwk = text.trimStart().startsWith('{') ? JSON.parse(text) : undefined
    const id: string | undefined = jwk?.kid
    if (jwk?.kty === 'oct') {
      const secret = Buffer.from(String(jwk.k), 'base64url')
      if (secret.length < 32) return undefined
      const sign = (bytes: Buffer) => createHmac('sha256', secret).update(bytes).digest()
      return { algorithm: 'HS256', id, sign }
    }
    const key =
      jwk === undefined ? createPrivateKey(text) : createPrivateKey({ key: jwk, format: 'jwk' })
    const algorithm = algorithmOf(key.asymmetricKeyType, key.asymmetricKeyDetails)
    if (algorithm === undefined) return undefined
    const digest = algorithm === 'EdDSA' ? null : 'sha256'
    return { algorithm, id, sign: bytes => sign(digest, bytes, { key, dsaEncoding: 'ieee-p1363' }) }
  } catch {
    // What the parser says may have some of the key in it.
    return undefined
  }
}

function algorithmOf(
  type: string | undefined,
  { modulusLength = 0, namedCurve }: { modulusLength?: number; namedCurve?: string } = {},
): string | undefined {
  if (type === 'rsa' && modulusLength >= 2048) return 'RS256'
  if (type === 'ec' && namedCurve === 'prime256v1') return 'ES256'
  return type === 'ed25519' ? 'EdDSA' : undefined
}

async function keyText(file: string, refuse: (why: string) => never): Promise<string> {
  if (file === '-') return text(process.stdin)
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    return refuse(`--key ${file} cannot be read (${(error as NodeJS.ErrnoException).code})`)
  }
}

function claimOf(text: string, refuse: (why: string) => never): [name: string, value: unknown] {
  const [, name, value] = /^([^=]+)=(.*)$/s.exec(text) ?? []
  if (name === undefined || value === undefined) {
    return refuse(`--claim must be name=value, not '${text}'`)
  }
  try {
    return [name, JSON.parse(value)]
  } catch {
    return [name, value]
  }
}

async function runInspect(): Promise<void> {
  const token = (await text(process.stdin)).trim()
  const parts = token.split('.')
  const [header, claims] = parts.slice(0, 2).map(parsed)
  if (parts.length !== 3 || header === undefined || claims === undefined) {
    process.stderr.write('breakwater: the standard input holds no token\n')
    process.exitCode = 1
    return
  }
  const shown = (part: object) => JSON.stringify(part, null, 2)
  process.stdout.write(`header ${shown(header)}\nclaims ${shown(claims)}\n${stateOf(claims)}\n`)
}

/** The object in a part of a token. */
function parsed(part: string): Record<string, unknown> | undefined {
  try {
    const value = JSON.parse(Buffer.from(part, 'base64url').toString())
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined
  } catch {
    return undefined
  }
}

/** Whether a token counts now, by what it says of time. */
function stateOf({ exp, nbf }: Record<string, unknown>): string {
  const now = dateNow() / 1000
  const date = (seconds: number) => momentOf(seconds * 1000)
  const isTime = (value: unknown): value is number =>
    typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 253_402_300_799
  if (!isTime(exp)) return 'It has no time of expiry: a node does not take it.'
  if (exp <= now) return `It expired at ${date(exp)}.`
  if (isTime(nbf) && nbf > now) return `It counts from ${date(nbf)} to ${date(exp)}.`
  return `It counts until ${date(exp)}.`
}

function encoded(part: string | Buffer): string {
  return Buffer.from(part).toString('base64url')
}

function more(text: string, previous: string[] = []): string[] {
  return [...previous, text]
}
