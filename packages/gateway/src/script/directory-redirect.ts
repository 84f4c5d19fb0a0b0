import { encodePath, rawPathOf } from '../request/request-target.ts'
import type { RoutedRequest } from './routed-request.ts'

/** The path as the client sent it. */
export function rawPath({ target }: RoutedRequest<unknown>): string {
  return rawPathOf(target)
}

/** Redirects a directory's path to the same URL with a slash at its end, which relative links of its index page need. */
export function redirectToDirectory(routed: RoutedRequest<unknown>): void {
  const { chain, mount } = routed
  const path = chain === undefined ? rawPath(routed) : encodePath(mount + routed.path)
  // A Location that begins with two slashes would name another host.
  const location = `${path.replace(/^\/+/, '/')}/${queryOf(routed)}`
  const { method } = routed
  routed.done(undefined, {
    status: method === 'GET' || method === 'HEAD' ? 301 : 308,
    reason: '',
    headers: ['Location', location, 'Content-Length', '0'],
    body: null,
  })
}

/** The query with its question mark, as received; '' for none. */
function queryOf({ chain, target: { uri, query } }: RoutedRequest<unknown>): string {
  if (chain !== undefined) return query === '' ? '' : `?${query}`
  const mark = uri.indexOf('?')
  return mark === -1 ? '' : uri.slice(mark)
}
