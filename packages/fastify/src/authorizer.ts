// The plugin fastcgiAuthorizer: FastCGI authorizers as onRequest hooks.
import { OptionError } from '@fastcgi/client'
import {
  type AuthorizerOptions,
  createAuthorizer,
  type Gateway,
  type RequestVariables,
  variablesOfRequest,
} from '@fastcgi/gateway'
import type {
  FastifyInstance,
  FastifyPluginAsync,
  FastifyRequest,
  onRequestHookHandler,
  RegisterOptions,
} from 'fastify'
import fp from 'fastify-plugin'
import { addPlace } from './guarded-routes.ts'
import { routesWithHook } from './hooked-routes.ts'
import { mountPathOf, respond, routedUrlOf } from './respond.ts'

/** Options of one authorizer, or of several, which are called in order until one denies access. */
export type FastCGIGuards =
  | AuthorizerOptions<FastifyRequest>
  | ReadonlyArray<AuthorizerOptions<FastifyRequest>>

/** Options of {@link fastcgiAuthorizer}: those of one authorizer, or a list of authorizers, and those of the plugin. */
export interface FastCGIAuthorizerOptions extends AuthorizerOptions<FastifyRequest> {
  /** Several authorizers, called in order, instead of the one that the other options describe. @default none */
  guards?: ReadonlyArray<AuthorizerOptions<FastifyRequest>> | undefined
  /** Path at which the files of `docroot` are served, in their own scope; only with `docroot`. @default '/' */
  prefix?: string | undefined
  /** Whether to add the hook; false only provides `app.fastcgiAuthorizer()`. @default true */
  hook?: boolean | undefined
}

declare module 'fastify' {
  interface FastifyInstance {
    /**
     * Creates a hook for single routes: `app.get('/private', { onRequest: app.fastcgiAuthorizer(options) }, handler)`. It is
     * closed with the app. @throws OptionError for an unknown option or an invalid value.
     */
    fastcgiAuthorizer(guards: FastCGIGuards): onRequestHookHandler
  }
  interface FastifyRequest {
    /** Variables that authorizers have added to the request. */
    readonly fastcgi: RequestVariables
  }
}

const AUTHORIZERS: unique symbol = Symbol('fastcgi authorizers')

/** All authorizers that the plugin has created in an app. */
type Authorizers = Set<Gateway<FastifyRequest>>

const authorizer: FastifyPluginAsync<FastCGIAuthorizerOptions> = async (instance, given) => {
  const { guards, prefix, hook, ...rest } = given
  // The same object holds the options of register().
  const { logLevel, logSerializers, ...options } = rest as typeof rest & RegisterOptions
  decorateInstance(instance)
  if (hook === false) {
    refuse(Object.keys(options).length > 0 || guards !== undefined, 'with hook: false no guard')
    return
  }
  refuse(guards !== undefined && Object.keys(options).length > 0, 'guards, or the options of one')
  const list = guards ?? [options]
  const hasFiles = list.some(({ docroot }) => docroot !== undefined)
  refuse(prefix !== undefined && !hasFiles, 'prefix only with docroot; else register it in a scope')
  if (hasFiles) await instance.register(files(list), { prefix: prefix ?? '' })
  else {
    requireNoChildScopes(instance)
    guardScope(instance, instance.fastcgiAuthorizer(list))
  }
}

/**
 * Routes for the files of a docroot. The hook, once the authorizer allows access, answers with the file; a request for
 * which there is none reaches the routes, which pass it to the not-found handler.
 */
function files(guards: FastCGIGuards): FastifyPluginAsync {
  return async (scope) => {
    guardScope(scope, scope.fastcgiAuthorizer(guards))
    for (const url of ['/', '/*'])
      scope.route({
        method: ['GET', 'HEAD'],
        url,
        exposeHeadRoute: false,
        handler: (_request, reply) => reply.callNotFound(),
      })
  }
}

/** Adds `app.fastcgiAuthorizer()` and `request.fastcgi`, once per app. */
function decorateInstance(instance: FastifyInstance): void {
  if (instance.hasDecorator('fastcgiAuthorizer')) return
  const authorizers: Authorizers = new Set()
  instance.decorate(AUTHORIZERS, { getter: () => authorizers })
  instance.decorate('fastcgiAuthorizer', function fastcgiAuthorizer(guards) {
    return createHook(this, authorizers, guards)
  })
  // Hooks of single routes: `{ onRequest: app.fastcgiAuthorizer(options) }`.
  instance.addHook('onRoute', ({ url, onRequest, preHandler, preParsing, preValidation }) => {
    for (const hook of [onRequest, preParsing, preValidation, preHandler].flat())
      if (hook !== undefined) addRoute.get(hook)?.(url)
  })
  instance.decorateRequest('fastcgi', {
    getter() {
      return variablesOfRequest(this.raw)
    },
  })
}

/** Authorizers of all apps, so that each hook has a name of its own. */
let count = 0

/** Creates an authorizer as a hook, and closes it with the scope. */
function createHook(
  scope: FastifyInstance,
  authorizers: Authorizers,
  guards: FastCGIGuards,
): onRequestHookHandler {
  const gateway = createAuthorizer<FastifyRequest>(guards, 'fastcgiAuthorizer')
  authorizers.add(gateway)
  scope.addHook('onClose', async () => {
    await gateway.close()
  })
  const prefix = scope.prefix.replace(/\/$/, '')
  const hook: onRequestHookHandler = (request, reply, done) =>
    respond(gateway, request, reply, { mount: mountPathOf(routedUrlOf(request), prefix) }, done)
  const add = addPlace(scope, gateway)
  addRoute.set(hook, add)
  // Routes that are older than the guard, and those of a scope to which `addHook()` has added it.
  Object.defineProperty(hook, 'name', { value: `fastcgiAuthorizer${++count}` })
  scope.addHook('onReady', async () => {
    for (const route of routesWithHook(scope, hook.name)) add(route)
  })
  return hook
}

/** For each hook, the function that adds a route to those that it guards. */
const addRoute = new WeakMap<object, (route: string) => void>()

/** Adds a hook to a scope, and notes which paths it guards: those below the prefix, or the routes of a scope without one. */
function guardScope(scope: FastifyInstance, hook: onRequestHookHandler): void {
  scope.addHook('onRequest', hook)
  const add = addRoute.get(hook)
  if (scope.prefix !== '') add?.(`${scope.prefix}/*`)
  else scope.addHook('onRoute', ({ url }) => add?.(url))
}

/**
 * Throws if the instance already has child scopes. Fastify copies hooks to a scope when it is created, so the routes of
 * existing scopes would silently stay unguarded. The list of child scopes has only an internal symbol.
 */
function requireNoChildScopes(instance: FastifyInstance): void {
  const symbol = Object.getOwnPropertySymbols(instance).find(
    ({ description }) => description === 'fastify.children',
  )
  const children: unknown = symbol && Reflect.get(instance, symbol)
  if (Array.isArray(children) && children.length === 0) return
  throw new OptionError(
    'fastcgiAuthorizer: scopes (plugins) have been registered before it, whose routes it would not guard; register it before ' +
      'them, fastcgiProxy included, or together with the routes to guard in a scope of their own',
  )
}

function refuse(wrong: boolean, what: string): void {
  if (wrong) throw new OptionError(`fastcgiAuthorizer: give ${what}`)
}

/** The authorizers of the app that a scope belongs to; none if the plugin is not registered. */
export function authorizersOf(instance: FastifyInstance): Iterable<Gateway<FastifyRequest>> {
  return (
    (instance as unknown as Partial<Record<typeof AUTHORIZERS, Authorizers>>)[AUTHORIZERS] ?? []
  )
}

/**
 * Fastify plugin that lets a FastCGI authorizer (FastCGI 1.0 §6.3) decide whether a request may proceed.
 * `scope.register(fastcgiAuthorizer, { upstream, root })` guards every route of that scope, also those registered before
 * it, and of the scopes that are registered in it afterwards; with scopes registered before it the app does not start.
 * If the authorizer denies access, the client gets its response; if it fails, 503. If it allows access, its variables
 * are in `request.fastcgi.variables`.
 * @throws OptionError for an unknown option or an invalid value, when Fastify loads the plugin.
 * @example
 * ```js
 * import { fastcgiAuthorizer } from '@fastcgi/fastify'
 * import Fastify from 'fastify'
 *
 * const app = Fastify()
 * app.register(async (scope) => {
 *   await scope.register(fastcgiAuthorizer, {
 *     upstream: 'unix:/run/php/php-fpm.sock',
 *     root: '/var/www/site',
 *     script: '/authorize.php',
 *   })
 *   scope.get('/private', (request) => `Hello ${request.fastcgi.variables.USER}`)
 * })
 * await app.ready()
 * ```
 */
export const fastcgiAuthorizer: FastifyPluginAsync<FastCGIAuthorizerOptions> = fp(authorizer, {
  fastify: '5.x',
  name: '@fastcgi/fastify/authorizer',
})
