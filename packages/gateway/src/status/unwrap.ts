import { Balancer, type Dispatcher, FastCGIClient } from '@fastcgi/client'

/** What a FastCGIClient sends its requests to; another dispatcher itself. */
export function unwrap(dispatcher: Dispatcher): Dispatcher {
  return dispatcher instanceof FastCGIClient ? unwrap(dispatcher.dispatcher) : dispatcher
}

/** The balancer of a dispatcher, also if a FastCGIClient wraps it; undefined if there is none. */
export function balancerOf(dispatcher: Dispatcher): Balancer | undefined {
  const inner = unwrap(dispatcher)
  return inner instanceof Balancer ? inner : undefined
}
