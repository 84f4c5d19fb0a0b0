import { FileMissingError } from '../errors.ts'
import { belowMount, parseTarget } from '../request/request-target.ts'
import { withoutFields } from '../response/response-fields.ts'

/** A prefix of paths that only an application can send requests to. Text is latin1. */
export interface InternalLocation<Route> {
  /** Without a slash at its end. */
  readonly prefix: string
  /** Directory of files, or a route that runs scripts. */
  readonly target: string | Route
}

/** Where X-Accel-Redirect leads. */
export interface InternalTarget<Route> extends InternalLocation<Route> {
  readonly path: string
  /** What of the path is behind the prefix. */
  readonly rest: string
  readonly query: string
}

/** A path that is to be run by an internal route. */
export interface InternalRun<Route> {
  readonly route: Route
  readonly path: string
  readonly query: string
  /** Fields of the application that wants it: flat name, value, name, value… */
  readonly kept: readonly string[]
}

/** Fields of the application that go to the client all the same (nginx: ngx_http_upstream_headers_in). */
const KEPT = new Set([
  'accept-ranges',
  'cache-control',
  'content-disposition',
  'content-type',
  'expires',
  'set-cookie',
])

/** Those of an application's fields that X-Accel-Redirect keeps. */
export function keptFields(flat: readonly string[]): string[] {
  return flat.filter((_, at) => KEPT.has(flat[at - (at % 2)]?.toLowerCase() ?? ''))
}

/** Fields of a response on top of those that were kept; of cookies all count. */
export function underKept(kept: readonly string[], own: readonly string[]): string[] {
  const names = new Set(own.filter((_, at) => at % 2 === 0).map((name) => name.toLowerCase()))
  names.delete('set-cookie')
  return [...withoutFields(kept, names), ...own]
}

// In any spelling, for the path is decoded once: nginx refuses it, even where it would not leave the location.
const CLIMBS = /(?:^|\/|%2f)(?:\.|%2e){2}(?:$|[/?]|%2f)/i

/**
 * Finds the location that a value of X-Accel-Redirect leads to, that with the longest prefix.
 * @throws FileMissingError for a path that is unsafe, or in no location
 */
export function internalTarget<Route>(
  value: string,
  locations: ReadonlyArray<InternalLocation<Route>>,
): InternalTarget<Route> {
  const uri = value.trim()
  const { path, query } = safeTarget(uri)
  const found = locations
    .filter(({ prefix }) => belowMount(path, prefix) !== undefined)
    .sort((a, b) => b.prefix.length - a.prefix.length)[0]
  if (found === undefined) throw new FileMissingError(`${path} is in no location`, 'accel')
  return { ...found, path, rest: path.slice(found.prefix.length), query }
}

function safeTarget(uri: string): { path: string; query: string } {
  const mark = uri.indexOf('?')
  const raw = mark === -1 ? uri : uri.slice(0, mark)
  try {
    if (raw.startsWith('/') && !CLIMBS.test(raw)) return parseTarget(uri)
  } catch {
    // What a client may not ask for, an application may not, either.
  }
  throw new FileMissingError(`unsafe URI ${uri} was detected`, 'accel')
}
