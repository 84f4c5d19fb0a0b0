import type { NameValueEncoder } from '@fastcgi/protocol'
import type { Env } from './request-facts.ts'

/** Adds params to a block, each name as the rules of precedence allow. */
export class ParamWriter {
  readonly #encoder: NameValueEncoder
  readonly #configured: ReadonlySet<string>
  readonly #extra: Env | undefined

  /**
   * @param configured names that nothing else may set.
   * @param extra values that win over everything.
   */
  constructor(encoder: NameValueEncoder, configured: ReadonlySet<string>, extra: Env | undefined) {
    this.#encoder = encoder
    this.#configured = configured
    this.#extra = extra
  }

  /** Something the request says. */
  add(name: string, value: string): void {
    if (this.#configured.size > 0 && this.#configured.has(name)) return
    if (this.#overridden(name)) return
    this.#encoder.add(name, value, 'latin1')
  }

  addConstant(name: string, value: string): void {
    if (!this.#overridden(name)) this.#encoder.add(name, value)
  }

  addOwn(name: string, value: string): void {
    this.#encoder.add(name, value)
  }

  /** Params that have been through all of this before. */
  addBlock(block: Buffer): void {
    this.#encoder.addBlock(block)
  }

  finish(): Buffer {
    return this.#encoder.finish()
  }

  #overridden(name: string): boolean {
    const extra = this.#extra
    return extra !== undefined && Object.hasOwn(extra, name) && extra[name] !== undefined
  }
}
