import { BaseDispatcher } from './base-dispatcher.ts'
import type { Dispatcher, DispatcherStats } from './dispatcher.ts'
import { OptionError } from './errors.ts'
import type { DispatchControl, DispatchHandler } from './exchange/handler.ts'
import type { FastCGIRequest } from './exchange/request.ts'
import type { PoolOptions } from './options.ts'
import type { ApplicationValues } from './pool/multiplexing.ts'
import { Pool } from './pool/pool.ts'
import type { GetValuesOptions } from './pool/values-queries.ts'
import { type ResolvedUpstream, resolveUpstream, type Upstream } from './upstream.ts'

/** Talks to FastCGI applications without any HTTP: `await client.request({ params, body })`. */
export class FastCGIClient extends BaseDispatcher {
  readonly #upstream: ResolvedUpstream

  /** @throws OptionError for a bad address or option. */
  constructor(upstream: Upstream, options: PoolOptions = {}) {
    super()
    this.#upstream = resolveUpstream(upstream, options)
  }

  /** What carries the requests. */
  get dispatcher(): Dispatcher {
    return this.#upstream.dispatcher
  }

  protected override run(request: FastCGIRequest, handler: DispatchHandler): DispatchControl {
    return this.#upstream.dispatcher.dispatch(request, handler)
  }

  /**
   * Asks the application for variables; see {@link Pool.getValues}.
   * @throws OptionError where the upstream is not a single address: which one is meant?
   */
  async getValues(options: GetValuesOptions = {}): Promise<ApplicationValues> {
    const { dispatcher } = this.#upstream
    if (dispatcher instanceof Pool) return dispatcher.getValues(options)
    throw new OptionError('getValues() needs an upstream that is one address; make a Pool for it')
  }

  override get stats(): DispatcherStats {
    return this.#upstream.dispatcher.stats
  }

  override async close(): Promise<void> {
    if (this.#upstream.owned) await this.#upstream.dispatcher.close()
  }

  override async destroy(error?: Error): Promise<void> {
    if (this.#upstream.owned) await this.#upstream.dispatcher.destroy(error)
  }
}
