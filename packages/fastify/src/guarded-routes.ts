// Where the authorizers of a Fastify app stand. Fastify compares paths as they are spelled, and only for the methods of its
// routes; the proxies of the app ask these guards for every other request to the same path.
import type { PlacedGuard } from '@fastcgi/gateway'
import { fold } from '@fastcgi/gateway/internal'
import type { FastifyInstance } from 'fastify'

/** One guard and the routes that it guards: patterns of Fastify, such as `/private/*` and `/users/:id`. */
interface Place {
  readonly authorizer: object
  /** Segments in the prefix of its scope, which its option `match` does not count. */
  readonly depth: number
  /** By the route. */
  readonly patterns: ReadonlyMap<string, readonly string[]>
}

/** By the server, which all scopes of an app share. */
const places = new WeakMap<object, Place[]>()

/** Adds a guard. The result adds the pattern of a route that it guards. */
export function addPlace(instance: FastifyInstance, authorizer: object): (route: string) => void {
  const patterns = new Map<string, readonly string[]>()
  const known = places.get(instance.server)
  const place = { authorizer, depth: segmentsOf(instance.prefix).length, patterns }
  if (known === undefined) places.set(instance.server, [place])
  else known.push(place)
  return (route) => void patterns.set(route, segmentsOf(route))
}

/** The lookup of an app's guards by normalized path, for the requests of its proxies; undefined without any guard. */
export function placedGuardsOf(
  instance: FastifyInstance,
): ((path: string) => readonly PlacedGuard[]) | undefined {
  const all = places.get(instance.server)
  return all === undefined ? undefined : (path) => findGuards(all, path)
}

function findGuards(all: readonly Place[], path: string): readonly PlacedGuard[] {
  // A backslash may be a slash to whatever runs the path.
  const given = path
    .replaceAll('\\', '/')
    .split('/')
    .filter((segment) => segment !== '')
  const folded = given.map((segment) => fold(Buffer.from(segment, 'latin1').toString()))
  const standsThere = ({ patterns }: Place): boolean => {
    for (const pattern of patterns.values()) if (matches(pattern, folded)) return true
    return false
  }
  return all.filter(standsThere).map(({ authorizer, depth }) => ({
    authorizer,
    mount: given
      .slice(0, depth)
      .map((segment) => `/${segment}`)
      .join(''),
  }))
}

/** Whether a pattern matches a path; a parameter matches any segment, whatever its regular expression says. */
function matches(pattern: readonly string[], path: readonly string[]): boolean {
  for (const [at, segment] of pattern.entries()) {
    const given = path[at]
    // A wildcard ends a pattern, as in `/files/*` or `/file*`.
    if (segment.endsWith('*'))
      return segment === '*' || given?.startsWith(segment.slice(0, -1)) === true
    if (given === undefined) return segment.startsWith(':') && segment.endsWith('?')
    if (!segment.startsWith(':') && segment !== given) return false
  }
  return path.length === pattern.length
}

/** Regular expressions of parameters, `:id(^\\d+$)`; one in which a group is nested twice ends early. */
const EXPRESSIONS = /\((?:[^()]|\([^()]*\))*\)/g

function segmentsOf(pattern: string): readonly string[] {
  return pattern
    .replace(EXPRESSIONS, '')
    .split('/')
    .filter((segment) => segment !== '')
    .map((segment) =>
      segment.includes(':') ? `:${segment.endsWith('?') ? '?' : ''}` : fold(decoded(segment)),
    )
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    return segment
  }
}
