// Answers the requests of a route from the cache, or has the application asked.

import { AsyncResource } from 'node:async_hooks'
import type { CacheAnswer, CacheRequest, Fetch, SharedCache } from '@fastcgi/cache'
import { gatewayError } from '../error-status.ts'
import { offClientDisconnect, onClientDisconnect } from '../request/client-disconnect.ts'
import type { GatewayRequest } from '../request/gateway-request.ts'
import type { GatewayCallback, GatewayResponse } from '../response/gateway-response.ts'
import type { CacheRun, RoutedRequest } from '../script/routed-request.ts'
import { type Asked, cacheRequest, isCacheable, lookupOf } from './cache-request.ts'
import { cachedResponse } from './cached-response.ts'
import type { CacheOptions } from './options.ts'
import { purgeFor } from './purge-request.ts'

/** Runs the script of a request. */
export type Run<Source> = (routed: RoutedRequest<Source>) => void

/** Methods whose requests change nothing (RFC 9110 §9.2.1). */
const SAFE = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE'])

/** The cache of one route or of several. */
export class RouteCache<Source> {
  readonly cache: SharedCache
  readonly #options: CacheOptions<Source>

  constructor(cache: SharedCache, options: CacheOptions<Source>) {
    this.cache = cache
    this.#options = options
  }

  /**
   * A fresh response to a GET by its URL as it was sent, before the URL is looked at. Only where no guard is before the route, and
   * where the store has only what this gateway has stored: then this URL has passed all checks before.
   */
  quickly(request: GatewayRequest<Source>): GatewayResponse | undefined {
    const { req, url, rewrittenUrl = url, script } = request
    const isPlain = req.method === 'GET' && rewrittenUrl === url && script === undefined
    if (!isPlain || !url.startsWith('/') || !this.cache.ownsStore) return undefined
    const target = { uri: url, path: '', query: '', authority: '' }
    const asked = { request, target, method: 'GET' }
    try {
      if (!isCacheable(asked, this.#options) || this.#bypasses(asked)) return undefined
      const { origin, path } = lookupOf(asked, this.#options)
      const hit = this.cache.fresh({ origin, path, headers: req.headers })
      return hit && cachedResponse(req, request.res, hit)
    } catch {
      // A function of the user has thrown; it will do so again where that is reported.
      return undefined
    }
  }

  /**
   * Answers a request that all guards have let through.
   * @param isPersonal whether a guard was among them, or the params of the route depend on the request.
   */
  serve(routed: RoutedRequest<Source>, isPersonal: boolean, run: Run<Source>): void {
    let request: CacheRequest
    let isBypassed: boolean
    try {
      const { allowPurge } = this.#options
      request = cacheRequest(routed, this.#options, isPersonal)
      if (routed.method === 'PURGE' && allowPurge !== undefined) {
        const isAllowed = allowPurge(routed.request.source)
        purgeFor(routed, isAllowed, request, this.cache)
        return
      }
      isBypassed = !isCacheable(routed, this.#options) || this.#bypasses(routed)
    } catch (error) {
      routed.done(routed.logger.failure(error), undefined)
      return
    }
    if (isBypassed) {
      this.#pass(routed, request, run)
      return
    }
    // Most requests end here; the rest costs them nothing.
    const hit = this.cache.fresh(request)
    if (hit !== undefined) settle(routed, undefined, hit)
    else this.#answer(routed, request, run)
  }

  /** Anything but a clear no bypasses the cache. */
  #bypasses({ request }: Asked<Source>): boolean {
    const { bypass } = this.#options
    return bypass !== undefined && bypass(request.source) !== false
  }

  /** The request is none for the cache; but it may change what is stored. */
  #pass(routed: RoutedRequest<Source>, request: CacheRequest, run: Run<Source>): void {
    this.cache.stats.bypassed++
    const why = SAFE.has(routed.method) ? 'bypass' : 'method'
    const done: GatewayCallback = (error, response) => {
      if (response === undefined) {
        routed.done(error, response)
        return
      }
      const { status, headers } = response
      if (why === 'method') this.cache.invalidateAfter(request, status, headers)
      const cacheStatus = `FastCGI; fwd=${why}`
      routed.done(error, { ...response, headers: [...headers, 'Cache-Status', cacheStatus] })
    }
    run({ ...routed, done })
  }

  #answer(routed: RoutedRequest<Source>, request: CacheRequest, run: Run<Source>): void {
    const { req, res } = routed.request
    let isAnswered = false
    let context: AsyncResource | undefined
    const leave = (): void => this.cache.leave(waiting)
    const answer = (error: unknown, given: CacheAnswer | undefined): void => {
      isAnswered = true
      if (context === undefined) settle(routed, error, given)
      else {
        offClientDisconnect(req, res, leave)
        context.runInAsyncScope(settle, undefined, routed, error, given)
      }
    }
    const fetch: Fetch = (fields, callback) => {
      const cacheRun: CacheRun = { fields, received: [], isShareable: true, control: undefined }
      const done: GatewayCallback = (error, response) => {
        const { status = 0, reason = '', headers = [], body = null } = response ?? {}
        const { received, isShareable } = cacheRun
        const origin = { status, reason, fields: headers, received, body, isShareable }
        callback(error, response && origin)
      }
      const start = (): void => run({ ...routed, done, cacheRun })
      if (context === undefined) start()
      else context.runInAsyncScope(start)
      return { abort: () => cacheRun.control?.abort(new Error('no client waits for it')) }
    }
    const waiting = this.cache.handle(request, fetch, answer)
    if (isAnswered) return
    // Another client's response may answer this request, in the asynchronous context of that client.
    context = new AsyncResource('FASTCGI_CACHE')
    onClientDisconnect(req, res, leave)
  }
}

function settle<Source>(
  routed: RoutedRequest<Source>,
  error: unknown,
  answer: CacheAnswer | undefined,
): void {
  const { req, res } = routed.request
  if (answer === undefined) routed.done(gatewayError(error), undefined)
  else routed.done(undefined, cachedResponse(req, res, answer))
}
