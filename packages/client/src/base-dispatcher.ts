import type { Dispatcher, DispatcherStats } from './dispatcher.ts'
import type { DispatchControl, DispatchHandler } from './exchange/handler.ts'
import type { FastCGIRequest } from './exchange/request.ts'
import { type FastCGIResponse, request } from './exchange/response.ts'
import { traced } from './exchange/tracing.ts'

/** Base class of all dispatchers: implements `request()` and tracing on top of the abstract method `run()`. */
export abstract class BaseDispatcher implements Dispatcher {
  /** Implements {@link Dispatcher.dispatch}, which adds tracing. */
  protected abstract run(request: FastCGIRequest, handler: DispatchHandler): DispatchControl
  abstract close(): Promise<void>
  abstract destroy(error?: Error): Promise<void>
  abstract get stats(): DispatcherStats

  dispatch(request: FastCGIRequest, handler: DispatchHandler): DispatchControl {
    const tracer = traced(request, handler)
    return tracer === undefined ? this.run(request, handler) : this.run(tracer.request, tracer)
  }

  request(init: FastCGIRequest): Promise<FastCGIResponse> {
    return request(this, init)
  }
}
