// Which proxies in front are believed (option trustProxy).
import { OptionError } from '@fastcgi/client'
import proxyAddr from 'proxy-addr'
import type { ServeConfig } from './config.ts'

/** Says whether an address may name the one before it; `hop` counts from the connection on, 0 for its other end. */
export type TrustFunction = (address: string, hop: number) => boolean

/**
 * The option as a function, which Fastify and Express take. A number is the count of proxies: everybody who reaches the port is
 * believed to be the last one of them. @throws OptionError for an address that is none.
 */
export function trustFunction(trust: NonNullable<ServeConfig['trustProxy']>): TrustFunction {
  if (typeof trust === 'number') return (_address, hop) => hop < trust
  try {
    return proxyAddr.compile(typeof trust === 'string' ? trust.split(/\s*,\s*/) : [...trust])
  } catch (error) {
    throw new OptionError(`option --trust-proxy: ${(error as Error).message}`)
  }
}
