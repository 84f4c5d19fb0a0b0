// The routes of a proxy. Routes of the app with the same URL and method win, whichever is registered first.
import { METHODS } from 'node:http'
import { OptionError } from '@fastcgi/client'
import type { FastifyInstance, HTTPMethods, RouteHandlerMethod, RouteOptions } from 'fastify'

/** The URLs that proxies of an app have taken, to report two proxies at one prefix; by the app's server. */
const taken = new WeakMap<object, Set<string>>()

/** The methods that a proxy has routes for, by normalized URL. */
type ProxyRoutes = ReadonlyMap<string, ReadonlySet<string>>

/**
 * Adds routes for all methods and all paths below the prefix of a scope, except where the app has a route with the same URL
 * and method. There is no route for the prefix with a slash at its end: the wildcard matches it, so that a wildcard route
 * of the app wins for it, too.
 * @throws OptionError if another proxy has routes at the same prefix.
 */
export function addProxyRoutes(scope: FastifyInstance, handler: RouteHandlerMethod): ProxyRoutes {
  // Fastify rejects methods it does not know, such as those of WebDAV; here the application decides, as in Express.
  for (const unknown of METHODS.filter((name) => !scope.supportedMethods.includes(name)))
    if (unknown !== 'CONNECT') scope.addHttpMethod(unknown, { hasBody: true })
  const { prefix } = scope
  claim(scope, prefix)
  const routes = new Map<string, ReadonlySet<string>>()
  const urls = prefix === '' || prefix.endsWith('/') ? ['/*'] : ['', '/*']
  for (const url of urls) {
    const whole = prefix.endsWith('/') ? prefix + url.slice(1) : prefix + url
    const method = scope.supportedMethods.filter(
      (name) => !scope.hasRoute({ method: name as HTTPMethods, url: whole }),
    )
    routes.set(normalize(whole), new Set(method))
    if (method.length > 0) scope.route({ method, url, handler, exposeHeadRoute: false })
  }
  return routes
}

function claim(scope: FastifyInstance, prefix: string): void {
  const urls = taken.get(scope.server) ?? new Set()
  taken.set(scope.server, urls)
  const url = normalize(`${prefix}/`)
  if (urls.has(url))
    throw new OptionError(`fastcgiProxy: two proxies have the prefix ${prefix || '/'}`)
  urls.add(url)
}

/** Name of the constraint that routes of the app get which have the URL and method of a proxy's route. */
const OWN_ROUTE = 'fastcgiOwnRoute'

/**
 * Lets routes win that are registered after those of a proxy, in the scope of the proxy, in its parents, and in scopes
 * that they register later. Fastify refuses a second route with the same URL and method unless its constraints differ, and
 * prefers the route with more constraints; so such a route gets a constraint that every request meets.
 */
export function preferLaterRoutes(instance: FastifyInstance, routes: ProxyRoutes): void {
  const onRoute = (route: RouteOptions): void => {
    const url = normalize(route.url)
    const methods = routes.get(url)
    if (methods === undefined || ![route.method].flat().some((name) => methods.has(name))) return
    if (!instance.hasConstraintStrategy(OWN_ROUTE)) instance.addConstraintStrategy(alwaysMet())
    route.constraints = { ...route.constraints, [OWN_ROUTE]: true }
    // The router would prefer the wildcard below '/' to this one, which matches also what does not begin with a slash.
    if (route.url === '*') route.url = '/*'
  }
  for (const scope of scopesAbove(instance)) scope.addHook('onRoute', onRoute)
}

/** A scope and its parents; Fastify makes each scope with its parent as prototype. */
function* scopesAbove(instance: FastifyInstance): Generator<FastifyInstance> {
  let scope: FastifyInstance | null = instance
  while (typeof scope?.addHook === 'function') {
    yield scope
    scope = Object.getPrototypeOf(scope)
  }
}

function alwaysMet(): Parameters<FastifyInstance['addConstraintStrategy']>[0] {
  return {
    name: OWN_ROUTE,
    mustMatchWhenDerived: false,
    storage() {
      const handlers = new Map()
      return {
        get: (value) => handlers.get(value) ?? null,
        set: (value, handler) => void handlers.set(value, handler),
      }
    },
    deriveConstraint: () => true,
  }
}

/**
 * The same text for all URLs that a router may treat as equal, whatever its options: names of parameters, case, a slash
 * at the end. It equates some that differ for the router; a constraint that such a route gets does not change anything.
 */
function normalize(url: string): string {
  const named = url === '*' ? '/*' : url
  return named
    .replace(/:[^/()*.-]*/g, ':')
    .replace(/\/{2,}/g, '/')
    .replace(/(.)\/$/, '$1')
    .toLowerCase()
}
