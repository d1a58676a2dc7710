// Certificates for tests, made by openssl: an authority, and whatever it signs.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const ALGORITHMS = {
  ec: ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256'],
  rsa: ['-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048'],
  ed25519: ['-algorithm', 'ED25519'],
}

/** The files of a certificate and its key. */
export interface Certificate {
  cert: string
  key: string
}

/** An authority of its own, with files in a folder that ends with the process. */
export class Authority implements Certificate {
  readonly dir = mkdtempSync(join(tmpdir(), 'breakwater-tls-'))
  readonly cert = join(this.dir, 'ca.pem')
  readonly key = join(this.dir, 'ca.key')
  #last = 0

  constructor(name = 'Test authority') {
    process.once('exit', () => rmSync(this.dir, { recursive: true, force: true }))
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
    const out = ['-keyout', this.key, '-out', this.cert]
    this.#openssl('req', '-x509', ...key, ...out, '-days', '30', '-subj', `/CN=${name}`)
  }

  /** The authority's certificate, as PEM. */
  get pem(): string {
    return readFileSync(this.cert, 'utf8')
  }

  /** A certificate for these names, and these URIs. `days` below 0: one that has expired. */
  sign(
    names = ['localhost'],
    days = 30,
    algorithm: keyof typeof ALGORITHMS = 'ec',
    uris: string[] = [],
  ): Certificate {
    this.#last += 1
    const file = (kind: string) => join(this.dir, `${this.#last}.${kind}`)
    const [cert, key, request, extensions] = ['pem', 'key', 'csr', 'ext'].map(file)
    this.#openssl('genpkey', ...ALGORITHMS[algorithm], '-out', key!)
    this.#openssl('req', '-new', '-key', key!, '-subj', `/CN=${names[0]}`, '-out', request!)
    const others = [...uris.map(uri => `URI:${uri}`), 'IP:127.0.0.1']
    const list = [...names.map(name => `DNS:${name}`), ...others].join(',')
    writeFileSync(extensions!, `subjectAltName=${list}\n`)
    const by = ['-CA', this.cert, '-CAkey', this.key, '-CAcreateserial', '-extfile', extensions!]
    this.#openssl('x509', '-req', '-in', request!, ...by, '-days', `${days}`, '-out', cert!)
    return { cert: cert!, key: key! }
  }

  /** A certificate for a name that ends at a moment. */
  signUntil(name: string, end: Date): Certificate {
    const { cert, key } = this.sign([name])
    const file = (kind: string) => join(this.dir, `${this.#last}.${kind}`)
    const [index, settings, request] = ['index', 'cnf', 'csr'].map(file)
    writeFileSync(index!, '')
    const lines = [
      '[ca]',
      'default_ca=own',
      '[own]',
      `database=${index}`,
      `new_certs_dir=${this.dir}`,
    ]
    const rest = [
      'rand_serial=yes',
      'default_md=sha256',
      'policy=any',
      '[any]',
      'commonName=supplied',
    ]
    writeFileSync(settings!, [...lines, ...rest].join('\n'))
    const time = `${end.toISOString().replace(/\D/g, '').slice(2, 14)}Z`
    const by = ['-cert', this.cert, '-keyfile', this.key, '-extfile', file('ext')]
    const out = ['-in', request!, '-out', cert, '-notext', '-batch', '-enddate', time]
    this.#openssl('ca', '-config', settings!, ...by, ...out)
    return { cert, key }
  }

  #openssl(...args: string[]): void {
    execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] })
  }
}
