// Where the authorizers of an Express app stand. Express compares paths as they are spelled; the proxies of the app ask the
// guards whose layer would have matched the normalized path.
import type { PlacedGuard } from '@fastcgi/gateway'
import { fold } from '@fastcgi/gateway/internal'
import { isExpress4 } from './handled-request.ts'

/** The parts of a layer of Express's router that are used here. */
interface Layer {
  readonly handle: unknown
  readonly route?: { readonly stack: readonly Layer[] } | undefined
  /** The part of the path that the last match() has matched; undefined where match() itself returns it. */
  readonly path: string | undefined
  match(path: string): boolean | { readonly path: string }
}

/** The parts of an app of Express that are used here; connect and node:http have none of them. */
interface App {
  readonly router?: Router
  /** The router in Express 4, where `router` throws. */
  readonly _router?: Router
  readonly parent?: App
  /** Where it is mounted in its parent. */
  readonly mountpath?: string | readonly string[]
}

interface Router {
  readonly stack: readonly Layer[]
}

/** The authorizer of each middleware of fastcgiAuthorizer. */
const authorizers = new WeakMap<object, object>()
let count = 0

/** Notes that a middleware asks an authorizer. */
export function addGuard(middleware: object, authorizer: object): void {
  authorizers.set(middleware, authorizer)
  count++
}

/** The lookup of an app's guards by normalized path, for the requests of its proxies; undefined without any guard. */
export function placedGuardsOf(
  app: unknown,
): ((path: string) => readonly PlacedGuard[]) | undefined {
  if (count === 0) return undefined
  if (app === undefined) return undefined
  // A backslash may be a slash to whatever runs the path.
  return (path) => guardsOfApps(app as App, path.replaceAll('\\', '/'))
}

/** The guards of an app and of the apps that it is mounted in. */
function guardsOfApps(app: App, path: string): PlacedGuard[] {
  const found = mountsOf(app, path).flatMap((mount) =>
    findGuards(stackOf(app) ?? [], path.slice(mount.length) || '/', mount),
  )
  if (app.parent === undefined) return found
  // The app is in a layer that cannot be looked into, but is known.
  const own = new Set(mountsOf(app, path))
  const outer = guardsOfApps(app.parent, path).filter(
    ({ authorizer, mount }) => authorizer !== undefined || !own.has(mount),
  )
  return [...outer, ...found]
}

/**
 * What of a path an app may be mounted at: as many segments as its mount path has, which may be spelled in another case and
 * have parameters.
 */
function mountsOf({ parent, mountpath = '/' }: App, path: string): readonly string[] {
  if (parent === undefined) return ['']
  const mounts = mountsOf(parent, path).flatMap((outer) =>
    [mountpath].flat().map((mount) => {
      const count = segmentCount(mount)
      const segments = path
        .slice(outer.length)
        .split('/')
        .slice(0, count + 1)
      return count === 0 ? outer : outer + segments.join('/')
    }),
  )
  return [...new Set(mounts)]
}

/**
 * The guards among layers, and in the routers and routes among them.
 * @param path normalized, latin1, below the routers around the layers.
 * @param mount what these routers have matched.
 */
function findGuards(layers: readonly Layer[], path: string, mount: string): PlacedGuard[] {
  return layers.flatMap((layer) => {
    const authorizer = authorizers.get(Object(layer.handle))
    const inner = layer.route?.stack ?? stackOf(layer.handle)
    const isOpaque = isMountedApp(layer.handle)
    if (authorizer === undefined && inner === undefined && !isOpaque) return []
    const matched = matchedPart(layer, path)
    if (matched === undefined) return []
    // The layers of a route match whatever the route does.
    if (layer.route !== undefined) return guardsOfRoute(layer.route.stack, mount)
    if (authorizer !== undefined || isOpaque) return [{ authorizer, mount: mount + matched }]
    return findGuards(inner ?? [], path.slice(matched.length) || '/', mount + matched)
  })
}

/** The layers of a handler that is a router, or an app. */
function stackOf(handle: unknown): readonly Layer[] | undefined {
  const known = Object(handle) as Partial<Router> & App
  return known.stack ?? (isExpress4(known) ? known._router : known.router)?.stack
}

/** Whether a handler is another app. Express keeps it in a closure, so its guards are not known. */
function isMountedApp(handle: unknown): boolean {
  return typeof handle === 'function' && handle.name === 'mounted_app'
}

function guardsOfRoute(layers: readonly Layer[], mount: string): PlacedGuard[] {
  return layers.flatMap(({ handle }) => {
    const authorizer = authorizers.get(Object(handle))
    return authorizer === undefined ? [] : [{ authorizer, mount }]
  })
}

/**
 * The part of a path that a layer matches, '' for a layer at the root; undefined if it matches none. File systems may take
 * other names for the same, so these match as well.
 */
function matchedPart(layer: Layer, path: string): string | undefined {
  const text = Buffer.from(path, 'latin1').toString()
  for (const name of [text, fold(text)]) {
    const match = layer.match(encodeURI(name))
    if (match === false) continue
    const matched = (typeof match === 'object' ? match.path : layer.path) ?? ''
    const count = segmentCount(matched)
    return count === 0
      ? ''
      : path
          .split('/')
          .slice(0, count + 1)
          .join('/')
  }
  return undefined
}

function segmentCount(path: string): number {
  return path.split('/').filter((segment) => segment !== '').length
}
