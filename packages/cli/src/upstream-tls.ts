// Certificates of encrypted upstreams, from files.
import { readFileSync } from 'node:fs'
import { OptionError, type TLSOptions } from '@fastcgi/client'

/** Options of encrypted upstreams (`fcgis://host:port`): {@link TLSOptions}, with paths of PEM files in place of PEM. */
export interface UpstreamTLS extends Pick<TLSOptions, 'servername' | 'rejectUnauthorized'> {
  ca?: string | undefined
  cert?: string | undefined
  key?: string | undefined
}

/** Reads the files. @throws OptionError that names the option of the command line. */
export function readUpstreamTLS({ ca, cert, key, ...others }: UpstreamTLS): TLSOptions {
  return {
    ...others,
    ca: read('upstream-ca', ca),
    cert: read('upstream-cert', cert),
    key: read('upstream-key', key),
  }
}

function read(name: string, file: string | undefined): string | undefined {
  try {
    return file === undefined ? undefined : readFileSync(file, 'utf8')
  } catch (error) {
    throw new OptionError(`option --${name} cannot be read: ${(error as Error).message}`)
  }
}
