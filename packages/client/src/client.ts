import { BaseDispatcher } from './base-dispatcher.ts'
import type { Dispatcher, DispatcherStats } from './dispatcher.ts'
import { OptionError } from './errors.ts'
import type { DispatcherEvent } from './events.ts'
import type { DispatchControl, DispatchHandler } from './exchange/handler.ts'
import type { FastCGIRequest } from './exchange/request.ts'
import type { PoolOptions } from './options.ts'
import type { ApplicationValues } from './pool/multiplexing.ts'
import { Pool } from './pool/pool.ts'
import type { GetValuesOptions } from './pool/values-queries.ts'
import type { ProcessFigures } from './processes.ts'
import { type ResolvedUpstream, resolveUpstream, type Upstream } from './upstream.ts'

/**
 * A FastCGI client: `await client.request({ params, body })`. It sends requests to one address, to the members of a
 * balancer, or through a given dispatcher. It contains no HTTP.
 */
export class FastCGIClient extends BaseDispatcher {
  readonly #upstream: ResolvedUpstream

  /**
   * Resolves the upstream; no connection is opened before the first request.
   * @param upstream see {@link Upstream}.
   * @param options of the pool, or defaults for all members. Ignored when `upstream` is a dispatcher or a function.
   * @throws OptionError for an invalid address or option.
   */
  constructor(upstream: Upstream, options: PoolOptions = {}) {
    super()
    this.#upstream = resolveUpstream(upstream, options)
  }

  /** The dispatcher that sends the requests: a {@link Pool}, a {@link Balancer} or the one that was given. */
  get dispatcher(): Dispatcher {
    return this.#upstream.dispatcher
  }

  protected override run(request: FastCGIRequest, handler: DispatchHandler): DispatchControl {
    return this.#upstream.dispatcher.dispatch(request, handler)
  }

  /**
   * Queries variables of the application with FCGI_GET_VALUES; see {@link Pool.getValues}.
   * @throws OptionError when the upstream is not a single address.
   * @throws FastCGIError when the application does not answer.
   */
  async getValues(options: GetValuesOptions = {}): Promise<ApplicationValues> {
    const { dispatcher } = this.#upstream
    if (dispatcher instanceof Pool) return dispatcher.getValues(options)
    throw new OptionError(
      'getValues() needs an upstream that is one address; create a Pool for each address',
    )
  }

  /** The last events of the dispatcher, the oldest first; undefined if it does not tell. */
  get events(): readonly DispatcherEvent[] | undefined {
    return this.#upstream.dispatcher.events
  }

  /** The processes of the dispatcher, if it is a process manager. */
  get processes(): readonly ProcessFigures[] | undefined {
    return this.#upstream.dispatcher.processes
  }

  override get stats(): DispatcherStats {
    return this.#upstream.dispatcher.stats
  }

  /** As {@link Dispatcher.close}. A dispatcher that was given to the constructor stays open. */
  override async close(): Promise<void> {
    if (this.#upstream.owned) await this.#upstream.dispatcher.close()
  }

  /** As {@link Dispatcher.destroy}. A dispatcher that was given to the constructor stays open. */
  override async destroy(error?: Error): Promise<void> {
    if (this.#upstream.owned) await this.#upstream.dispatcher.destroy(error)
  }
}
