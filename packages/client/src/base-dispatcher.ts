import type { Dispatcher, DispatcherStats } from './dispatcher.ts'
import type { DispatchControl, DispatchHandler } from './exchange/handler.ts'
import type { FastCGIRequest } from './exchange/request.ts'
import { type FastCGIResponse, request } from './exchange/response.ts'
import { traced } from './exchange/tracing.ts'

/** What all dispatchers have in common: the comfortable path on top of their own fast one, and who is told of it. */
export abstract class BaseDispatcher implements Dispatcher {
  /** What {@link Dispatcher.dispatch} comes down to. */
  protected abstract run(request: FastCGIRequest, handler: DispatchHandler): DispatchControl
  abstract close(): Promise<void>
  abstract destroy(error?: Error): Promise<void>
  abstract get stats(): DispatcherStats

  dispatch(request: FastCGIRequest, handler: DispatchHandler): DispatchControl {
    return this.run(request, traced(request, handler))
  }

  request(init: FastCGIRequest): Promise<FastCGIResponse> {
    return request(this, init)
  }
}
