// TLS of a router: the files of certificates, keys and authorities, read and checked. An error names
// the file and its role, never what is in it.
import type { KeyObject, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { builtin } from '../base/builtin.ts'
import { checkKnown, checkNoNull, checkOneOf } from '../base/checks.ts'
import { InvalidOptionError } from '../base/errors.ts'
import { dateNow, dateParse, dayOf } from '../base/runtime.ts'
import type { NativeStoreTls, NativeTls } from '../native/router.ts'

/** Whether clients show certificates: they must, they need not, they may. */
export type ClientAuth = 'yes' | 'no' | 'optional'

/** How clients are met by TLS. All files are PEM; `router.reload()` reads them anew. */
export interface TlsOptions {
  /**
   * The file of the node's certificate, followed by those that lead to its authority. With several,
   * a client is shown the one for the name that it asks for, else the first.
   */
  cert: string | string[]
  /** The file of the certificate's private key, without a passphrase; one for each certificate. */
  key: string | string[]
  /** The file of the authorities whose certificates clients may show. */
  ca?: string | undefined
  /** Whether clients show certificates. Default: `'yes'` with `ca`, otherwise `'no'`. */
  authClients?: ClientAuth | undefined
}

/** How a store is met whose URL begins with `rediss://`. All files are PEM, and read anew as well. */
export interface StoreTlsOptions {
  /** The file of the authorities of the store's certificate. Default: those of Node.js. */
  ca?: string | undefined
  /** The file of the node's own certificate, if the store asks for one. */
  cert?: string | undefined
  /** The file of its private key. */
  key?: string | undefined
  /** The name in the store's certificate. Default: that in the URL. */
  serverName?: string | undefined
}

const AUTH: readonly ClientAuth[] = ['yes', 'no', 'optional']
const KNOWN: readonly string[] = ['cert', 'key', 'ca', 'authClients'] satisfies (keyof TlsOptions)[]

/** Reads and checks the files. Throws {@link InvalidOptionError}. */
export function readTls(options: TlsOptions): NativeTls {
  if (typeof options !== 'object' || options === null) {
    throw new InvalidOptionError('tls', options, 'an object with cert and key')
  }
  checkKnown('tls.', options, KNOWN)
  const [certs, keys] = [files('tls.cert', options.cert), files('tls.key', options.key)]
  if (certs.length !== keys.length) {
    const allowed = `as many files as tls.cert, which has ${certs.length}`
    throw new InvalidOptionError('tls.key', keys.length, allowed)
  }
  const { ca, authClients = ca === undefined ? 'no' : 'yes' } = options
  checkOneOf('tls.authClients', authClients, AUTH)
  if (authClients !== 'no' && ca === undefined) {
    throw new InvalidOptionError('tls.ca', ca, 'a file where clients show certificates')
  }
  return {
    certificates: certs.map((cert, at) => identity('tls', cert, keys[at]!)),
    clients: authClients,
    ca: ca === undefined ? undefined : authorities('tls.ca', ca),
  }
}

const KNOWN_OF_STORE: readonly string[] = [
  'ca',
  'cert',
  'key',
  'serverName',
] satisfies (keyof StoreTlsOptions)[]

/** Reads and checks the files for the store. Throws {@link InvalidOptionError}. */
export function readStoreTls(options: StoreTlsOptions = {}): NativeStoreTls {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new InvalidOptionError('storeTls', options, 'an object')
  }
  checkKnown('storeTls.', options, KNOWN_OF_STORE)
  checkNoNull('storeTls', options)
  const { ca, cert, key, serverName } = options
  const [wrong] = Object.entries({ cert, key }).filter(([, file]) => !isName(file ?? 'none'))
  if (wrong !== undefined) {
    throw new InvalidOptionError(`storeTls.${wrong[0]}`, wrong[1], 'the name of a PEM file')
  }
  if ((cert === undefined) !== (key === undefined)) {
    const [missing, given] = cert === undefined ? ['cert', key] : ['key', cert]
    throw new InvalidOptionError(`storeTls.${missing}`, undefined, `given with ${given}`)
  }
  if (serverName !== undefined && (typeof serverName !== 'string' || serverName === '')) {
    throw new InvalidOptionError('storeTls.serverName', serverName, 'a name or an address')
  }
  const own = cert === undefined || key === undefined ? undefined : identity('storeTls', cert, key)
  return {
    ca:
      ca === undefined
        ? builtin('node:tls').rootCertificates.join('\n')
        : authorities('storeTls.ca', ca),
    chain: own?.chain,
    key: own?.key,
    name: serverName,
  }
}

/** A certificate and its key, which fit each other. `group` is the option that they are part of. */
export function identity(group: string, cert: string, key: string) {
  const chain = read(`${group}.cert`, cert)
  const [own] = certificates(`${group}.cert`, cert, chain)
  const secret = read(`${group}.key`, key)
  if (!own!.checkPrivateKey(privateKey(`${group}.key`, key, secret))) {
    throw new InvalidOptionError(
      `${group}.key`,
      key,
      `the private key of the certificate in ${cert}`,
    )
  }
  return { chain, key: secret, names: namesOf(own!) }
}

/** The text of a file of authorities. */
export function authorities(option: string, file: string): string {
  const text = read(option, file)
  certificates(option, file, text)
  return text
}

function isName(file: unknown): file is string {
  return typeof file === 'string' && file !== ''
}

function files(option: string, given: string | string[]): string[] {
  const list = Array.isArray(given) ? given : [given]
  const wrong = list.find(file => !isName(file))
  if (list.length > 0 && list.every(isName)) return list
  throw new InvalidOptionError(option, wrong, 'the name of a PEM file, or several')
}

function read(option: string, file: unknown): string {
  // A number would be a descriptor of this process, and reading it might never end.
  if (!isName(file)) throw new InvalidOptionError(option, file, 'the name of a PEM file')
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new InvalidOptionError(option, file, `a file that can be read (${code})`)
  }
}

/** The certificates of a file, all of them valid now. */
function certificates(option: string, file: string, text: string): X509Certificate[] {
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []
  if (blocks.length === 0) {
    throw new InvalidOptionError(option, file, 'a PEM file with a certificate')
  }
  const { X509Certificate } = builtin('node:crypto')
  return blocks.map((block, at) => {
    const place = at === 0 ? 'its certificate' : `its certificate ${at + 1}`
    let certificate: X509Certificate
    try {
      certificate = new X509Certificate(block)
    } catch {
      throw new InvalidOptionError(option, file, `a PEM file of certificates: ${place} is damaged`)
    }
    const [from, to] = [dateParse(certificate.validFrom), dateParse(certificate.validTo)]
    if (dateNow() > to) {
      const allowed = `a file of certificates that are valid: ${place} expired on ${dayOf(to)}`
      throw new InvalidOptionError(option, file, allowed)
    }
    if (dateNow() < from) {
      const allowed = `a file of certificates that are valid: ${place} begins on ${dayOf(from)}`
      throw new InvalidOptionError(option, file, allowed)
    }
    return certificate
  })
}

function privateKey(option: string, file: string, text: string): KeyObject {
  try {
    return builtin('node:crypto').createPrivateKey(text)
  } catch {
    throw new InvalidOptionError(option, file, 'a PEM file with a private key without a passphrase')
  }
}

/** The names that a certificate is for. */
function namesOf(certificate: X509Certificate): string[] {
  const found = certificate.subjectAltName?.matchAll(/DNS:([^,"\s]+)/g) ?? []
  return Array.from(found, match => match[1]!)
}
