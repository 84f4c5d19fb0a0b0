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
import { mountIn, respond } from './respond.ts'

/** One guard, or a list of them, which are asked in order. */
export type FastCGIGuards =
  | AuthorizerOptions<FastifyRequest>
  | ReadonlyArray<AuthorizerOptions<FastifyRequest>>

/** Options of {@link fastcgiAuthorizer}: those of one guard, or a list of guards, and Fastify's own. */
export interface FastCGIAuthorizerOptions extends AuthorizerOptions<FastifyRequest> {
  /** Several guards, asked in order, instead of the one that the other options describe. */
  guards?: ReadonlyArray<AuthorizerOptions<FastifyRequest>> | undefined
  /** Path the files of `docroot` are served at; they and their guard are in a scope of their own. @default '/' */
  prefix?: string | undefined
  /** Guard nothing by itself: only `app.fastcgiAuthorizer()` is wanted. @default true */
  hook?: boolean | undefined
}

declare module 'fastify' {
  interface FastifyInstance {
    /**
     * Makes a guard for single routes: `app.get('/private', { onRequest: app.fastcgiAuthorizer(options) }, handler)`. It is
     * closed with the app. @throws OptionError
     */
    fastcgiAuthorizer(guards: FastCGIGuards): onRequestHookHandler
  }
  interface FastifyRequest {
    /** What authorizers have said of the request. */
    readonly fastcgi: RequestVariables
  }
}

const AUTHORIZERS: unique symbol = Symbol('fastcgi authorizers')

/** All authorizers that the plugin has made in an app. */
type Authorizers = Set<Gateway<FastifyRequest>>

const authorizer: FastifyPluginAsync<FastCGIAuthorizerOptions> = async (instance, given) => {
  const { guards, prefix, hook, ...rest } = given
  // register() takes options of its own in the same object.
  const { logLevel, logSerializers, ...options } = rest as typeof rest & RegisterOptions
  decorate(instance)
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
    refuseUnguarded(instance)
    instance.addHook('onRequest', instance.fastcgiAuthorizer(list))
  }
}

/** The files of a docroot: whatever is not found there goes to the handler of paths that are not found. */
function files(guards: FastCGIGuards): FastifyPluginAsync {
  return async (scope) => {
    scope.addHook('onRequest', scope.fastcgiAuthorizer(guards))
    for (const url of ['/', '/*'])
      scope.route({
        method: ['GET', 'HEAD'],
        url,
        exposeHeadRoute: false,
        handler: (_request, reply) => reply.callNotFound(),
      })
  }
}

function decorate(instance: FastifyInstance): void {
  if (instance.hasDecorator('fastcgiAuthorizer')) return
  const authorizers: Authorizers = new Set()
  instance.decorate(AUTHORIZERS, { getter: () => authorizers })
  instance.decorate('fastcgiAuthorizer', function fastcgiAuthorizer(guards) {
    return hookOf(this, authorizers, guards)
  })
  instance.decorateRequest('fastcgi', {
    getter() {
      return variablesOfRequest(this.raw)
    },
  })
}

function hookOf(
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
  return (request, reply, done) =>
    respond(gateway, request, reply, { mount: mountIn(request.raw.url ?? '', prefix) }, done)
}

/**
 * Fastify hands hooks down to scopes when they are made: those that are there already would go without the guard, and
 * nobody would notice. It has no public name for them.
 */
function refuseUnguarded(instance: FastifyInstance): void {
  const symbol = Object.getOwnPropertySymbols(instance).find(
    ({ description }) => description === 'fastify.children',
  )
  const children: unknown = symbol && Reflect.get(instance, symbol)
  if (Array.isArray(children) && children.length === 0) return
  throw new OptionError(
    'fastcgiAuthorizer: scopes (plugins) have been registered before it, whose routes it would not guard; register it before ' +
      'them, fastcgiProxy included, or with what it is to guard in a scope of their own',
  )
}

function refuse(wrong: boolean, what: string): void {
  if (wrong) throw new OptionError(`fastcgiAuthorizer: give ${what}`)
}

/** The authorizers of the app that a scope belongs to. */
export function authorizersOf(instance: FastifyInstance): Iterable<Gateway<FastifyRequest>> {
  return (
    (instance as unknown as Partial<Record<typeof AUTHORIZERS, Authorizers>>)[AUTHORIZERS] ?? []
  )
}

/**
 * Fastify plugin that asks a FastCGI authorizer (FastCGI 1.0 §6.3) whether a request may go on:
 * `scope.register(fastcgiAuthorizer, { upstream, root })` guards every route of that scope, whichever is registered when,
 * and of the scopes that are registered in it afterwards; with scopes before it the app does not start. A no is answered with the application's response, a guard that fails with 503; after a yes its
 * variables are in `request.fastcgi.variables`.
 * @throws OptionError for options that cannot be, when Fastify loads it.
 */
export const fastcgiAuthorizer: FastifyPluginAsync<FastCGIAuthorizerOptions> = fp(authorizer, {
  fastify: '5.x',
  name: '@fastcgi/fastify/authorizer',
})
