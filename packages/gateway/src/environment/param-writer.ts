import type { NameValueEncoder } from '@fastcgi/protocol'
import type { Env } from './environment-input.ts'

/**
 * Adds params to an encoded block and keeps their order of precedence: `extra` (one request's own), then configured, then
 * taken from the request. A name that a higher source sets is skipped.
 */
export class ParamWriter {
  readonly #encoder: NameValueEncoder
  readonly #configured: ReadonlySet<string>
  readonly #extra: Env | undefined

  /**
   * @param configured names set by configuration, which the request may not set.
   * @param extra params that win over all others.
   */
  constructor(encoder: NameValueEncoder, configured: ReadonlySet<string>, extra: Env | undefined) {
    this.#encoder = encoder
    this.#configured = configured
    this.#extra = extra
  }

  /** Adds a param taken from the request; the value is latin1. */
  add(name: string, value: string): void {
    if (this.#configured.size > 0 && this.#configured.has(name)) return
    if (this.#overridden(name)) return
    this.#encoder.add(name, value, 'latin1')
  }

  /** Adds a configured or default param; the value is UTF-8. */
  addConstant(name: string, value: string): void {
    if (!this.#overridden(name)) this.#encoder.add(name, value)
  }

  /** Adds one of the `extra` params; the value is UTF-8. */
  addExtra(name: string, value: string): void {
    this.#encoder.add(name, value)
  }

  /** Adds a block of params that another writer has checked and encoded. */
  addBlock(block: Buffer): void {
    this.#encoder.addBlock(block)
  }

  finish(): Buffer {
    return this.#encoder.finish()
  }

  /** Whether `extra` sets the param. */
  #overridden(name: string): boolean {
    const extra = this.#extra
    return extra !== undefined && Object.hasOwn(extra, name) && extra[name] !== undefined
  }
}
