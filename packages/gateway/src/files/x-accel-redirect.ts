// X-Accel-Redirect: finds the location that its path leads to, and the fields that are kept.

import { FileMissingError } from '../errors.ts'
import { belowMount, parseTarget } from '../request/request-target.ts'
import { onlyFields, withoutFields } from '../response/field-list.ts'

/** A path prefix that only X-Accel-Redirect can reach (nginx `internal`). Text is latin1. */
export interface InternalLocation<Route> {
  /** Path prefix without a slash at its end. */
  readonly prefix: string
  /** Directory of files, or a route that runs scripts. */
  readonly target: string | Route
}

/** The location that X-Accel-Redirect leads to. */
export interface InternalTarget<Route> extends InternalLocation<Route> {
  readonly path: string
  /** The part of the path after the prefix. */
  readonly rest: string
  readonly query: string
}

/** A path that an internal route is to run. */
export interface InternalRun<Route> {
  readonly route: Route
  readonly path: string
  readonly query: string
  /** Fields of the response with X-Accel-Redirect that are kept: name, value, name, value… */
  readonly kept: readonly string[]
}

/** Fields of the application's response that are kept (nginx: ngx_http_upstream_headers_in). */
const KEPT = new Set([
  'accept-ranges',
  'cache-control',
  'content-disposition',
  'content-type',
  'expires',
  'set-cookie',
])

/** The fields of a response that are kept when X-Accel-Redirect replaces it. */
export function keptFields(flat: readonly string[]): string[] {
  return onlyFields(flat, KEPT)
}

/** Merges kept fields with those of the new response, which win, except that every Set-Cookie is sent. */
export function mergeKeptFields(kept: readonly string[], own: readonly string[]): string[] {
  const names = new Set(own.filter((_, at) => at % 2 === 0).map((name) => name.toLowerCase()))
  names.delete('set-cookie')
  return [...withoutFields(kept, names), ...own]
}

// A `..` segment in any encoding. nginx refuses it even if the path would stay inside the location.
const PARENT_SEGMENT = /(?:^|\/|%2f)(?:\.|%2e){2}(?:$|[/?]|%2f)/i

/**
 * Finds the location that a value of X-Accel-Redirect leads to: the one with the longest prefix.
 * @throws FileMissingError if the path is unsafe or in no location
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
    if (raw.startsWith('/') && !PARENT_SEGMENT.test(raw)) {
      const target = parseTarget(uri)
      if (!target.path.includes('\\')) return target
    }
  } catch {
    // A path that is refused from a client is refused from an application, too.
  }
  throw new FileMissingError(`unsafe URI ${uri} was detected`, 'accel')
}
