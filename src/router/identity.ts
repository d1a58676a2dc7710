// Who clients are by the certificates that they show: the shape of the option, and its checks.
import { checkKnown, checkOneOf } from '../base/checks.ts'
import { InvalidOptionError } from '../base/errors.ts'
import type { NativeOptions } from '../native/router.ts'

/** Which name in a certificate tells the user: `CN` of its subject, or an alternative name. */
export type CertificateName = 'CN' | 'SAN-URI' | 'SAN-DNS'

/** How the certificate that a client shows by TLS logs it in. */
export interface IdentityOptions {
  /** Which name in the certificate tells the user. */
  certificate: CertificateName
  /** The users by these names. Default: a user has the name itself. */
  map?: Record<string, string> | undefined
}

const NAMES: readonly CertificateName[] = ['CN', 'SAN-URI', 'SAN-DNS']
const KNOWN: readonly string[] = ['certificate', 'map'] satisfies (keyof IdentityOptions)[]

/** Checks how certificates log clients in. Throws {@link InvalidOptionError}. */
export function checkIdentity(identity: IdentityOptions): NativeOptions['identity'] {
  if (typeof identity !== 'object' || identity === null || Array.isArray(identity)) {
    const allowed = "an object, as { certificate: 'CN' }"
    throw new InvalidOptionError('identity', typeof identity, allowed)
  }
  checkKnown('identity.', identity, KNOWN)
  const { certificate, map } = identity
  return {
    name: checkOneOf('identity.certificate', certificate, NAMES),
    map: map === undefined ? undefined : pairsOf(map),
  }
}

function pairsOf(map: Record<string, string>): string[] {
  const allowed = "names of users by names in certificates, as { 'spiffe://shop': 'shop' }"
  if (typeof map !== 'object' || map === null || Array.isArray(map)) {
    throw new InvalidOptionError('identity.map', typeof map, allowed)
  }
  for (const [name, user] of Object.entries(map)) {
    if (typeof user === 'string' && user !== '') continue
    throw new InvalidOptionError(`identity.map[${name}]`, typeof user, 'the name of a user')
  }
  return Object.entries(map).flat()
}
