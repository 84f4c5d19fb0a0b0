/** Certificates that tests make with openssl: an authority, and what it signs. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { findProgram } from './programs.ts'
import { needs } from './require-program.ts'

const OPENSSL = findProgram('openssl')

export const NEEDS_OPENSSL = needs('openssl', OPENSSL)

/** A certificate with its key, as PEM, and the files they lie in. */
export interface Certificate {
  readonly cert: string
  readonly key: string
  readonly certFile: string
  readonly keyFile: string
}

/** A certificate authority in a directory of its own, which is removed with the test. */
export class Authority {
  readonly directory: string
  readonly own: Certificate

  constructor(t: Test) {
    this.directory = mkdtempSync(join(tmpdir(), 'fcgi-tls-'))
    t.teardown(() => rmSync(this.directory, { recursive: true, force: true }))
    this.own = this.#make('authority', (key, cert) => {
      openssl('req', '-x509', ...KEY, '-subj', '/CN=authority', '-keyout', key, '-out', cert)
    })
  }

  /** What the others have to trust. */
  get ca(): string {
    return this.own.cert
  }

  /** Signs a certificate. @param names as of subjectAltName: `DNS:localhost,IP:127.0.0.1`. @param days negative: expired. */
  sign(name: string, names = 'DNS:localhost,IP:127.0.0.1', days = 2): Certificate {
    return this.#make(name, (key, cert) => {
      const request = `${cert}.csr`
      const extension = ['-addext', `subjectAltName=${names}`]
      openssl('req', ...KEY, '-subj', `/CN=${name}`, ...extension, '-keyout', key, '-out', request)
      const { certFile, keyFile } = this.own
      const by = ['-CA', certFile, '-CAkey', keyFile, '-CAcreateserial']
      const dated = ['-days', String(days), '-copy_extensions', 'copyall']
      openssl('x509', '-req', '-in', request, ...by, ...dated, '-out', cert)
    })
  }

  #make(name: string, run: (keyFile: string, certFile: string) => void): Certificate {
    const keyFile = join(this.directory, `${name}.key`)
    const certFile = join(this.directory, `${name}.crt`)
    run(keyFile, certFile)
    const [key, cert] = [keyFile, certFile].map((file) => readFileSync(file, 'utf8')) as [
      string,
      string,
    ]
    return { key, cert, keyFile, certFile }
  }
}

const KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']

function openssl(...args: string[]): void {
  execFileSync(OPENSSL ?? '', args, { stdio: 'ignore' })
}
