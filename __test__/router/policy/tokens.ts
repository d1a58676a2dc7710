// Tokens for tests, signed by keys of every kind.
import {
  createHmac,
  generateKeyPairSync,
  type JsonWebKey,
  type KeyObject,
  randomBytes,
  sign,
} from 'node:crypto'

export type Algorithm = 'HS256' | 'RS256' | 'ES256' | 'EdDSA'

/** Somebody who signs tokens: what its file of keys holds, and how it signs. */
export interface Issuer {
  algorithm: Algorithm
  /** As a node is given it: PEM, or a JWK where there is no PEM. */
  file: string
  jwk: JsonWebKey
  token(claims: object, header?: object): string
}

/** Makes an issuer, with a new key. */
export function issuer(algorithm: Algorithm): Issuer {
  const secret = randomBytes(32)
  const pair = pairOf(algorithm)
  const jwk: JsonWebKey = pair?.publicKey.export({ format: 'jwk' }) ?? {
    kty: 'oct',
    k: secret.toString('base64url'),
  }
  const pem = pair?.publicKey.export({ format: 'pem', type: 'spki' })
  return {
    algorithm,
    jwk,
    file: pem === undefined ? JSON.stringify(jwk) : String(pem),
    token(claims, header = { alg: algorithm, typ: 'JWT' }) {
      const signed = [header, claims].map(part => encoded(JSON.stringify(part))).join('.')
      const bytes =
        pair === undefined
          ? createHmac('sha256', secret).update(signed).digest()
          : sign(algorithm === 'EdDSA' ? null : 'sha256', Buffer.from(signed), {
              key: pair.privateKey,
              dsaEncoding: 'ieee-p1363',
            })
      return `${signed}.${encoded(bytes)}`
    },
  }
}

function pairOf(algorithm: Algorithm): { publicKey: KeyObject; privateKey: KeyObject } | undefined {
  switch (algorithm) {
    case 'HS256':
      return undefined
    case 'RS256':
      return generateKeyPairSync('rsa', { modulusLength: 2048 })
    case 'ES256':
      return generateKeyPairSync('ec', { namedCurve: 'P-256' })
    case 'EdDSA':
      return generateKeyPairSync('ed25519')
  }
}

function encoded(part: string | Buffer): string {
  return Buffer.from(part).toString('base64url')
}

/** Unix seconds, so many from now. */
export function inSeconds(count: number): number {
  return Math.floor(Date.now() / 1000) + count
}
