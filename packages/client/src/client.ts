import { BaseDispatcher } from './base-dispatcher.ts'
import type {
  DispatchControl,
  Dispatcher,
  DispatcherStats,
  DispatchHandler,
  FastCGIRequest,
} from './dispatcher.ts'
import type { PoolOptions } from './options.ts'
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
