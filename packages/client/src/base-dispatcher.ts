import type {
  DispatchControl,
  Dispatcher,
  DispatcherStats,
  DispatchHandler,
  FastCGIRequest,
} from './dispatcher.ts'
import { type FastCGIResponse, request } from './response.ts'

/** What all dispatchers have in common: the comfortable path, on top of their own fast one. */
export abstract class BaseDispatcher implements Dispatcher {
  abstract dispatch(request: FastCGIRequest, handler: DispatchHandler): DispatchControl
  abstract close(): Promise<void>
  abstract destroy(error?: Error): Promise<void>
  abstract get stats(): DispatcherStats

  request(init: FastCGIRequest): Promise<FastCGIResponse> {
    return request(this, init)
  }
}
