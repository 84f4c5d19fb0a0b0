// The option `cache`, and its checks.

import type { ResponseHead, SharedCacheOptions } from '@fastcgi/cache'
import {
  anyOf,
  type Check,
  type Checks,
  callable,
  flag,
  integer,
  listOf,
  milliseconds,
  oneOf,
  shape,
} from '@fastcgi/client/internal'

/** Options of the cache of a gateway or of a route. `Source` is the framework's request. */
export interface CacheOptions<Source> extends SharedCacheOptions {
  /**
   * What responses are stored under, in place of scheme, host, path and query (nginx `fastcgi_cache_key`): the text for a
   * request. Requests with the same text get the same responses. @default scheme, host, path and query
   */
  key?: ((request: Source) => string) | undefined
  /** Methods that are answered from the cache (nginx `fastcgi_cache_methods`). @default ['GET', 'HEAD'] */
  methods?: ReadonlyArray<'GET' | 'HEAD'> | undefined
  /**
   * Requests that are neither answered from the cache nor stored (nginx `fastcgi_cache_bypass` with `fastcgi_no_cache`):
   * those of logged-in users, for instance. @default none
   */
  bypass?: ((request: Source) => boolean) | undefined
  /** Responses that are not stored although they might be (nginx `fastcgi_no_cache`). @default none */
  noStore?: ((request: Source, response: ResponseHead) => boolean) | undefined
  /** Tags of a response, beside those of its fields Cache-Tag, Surrogate-Key and xkey. @default none */
  tags?: ((request: Source, response: ResponseHead) => readonly string[]) | undefined
  /**
   * Who may remove responses by the method PURGE: a function that returns true for a request that may. Everyone else gets 403.
   * @default nobody: PURGE is a method like any other, and goes to the application
   */
  allowPurge?: ((request: Source) => boolean) | undefined
}

/** The option `cache` of a gateway or of a route. */
export type CacheOption<Source> = boolean | CacheOptions<Source>

const valid: Check = (value) =>
  typeof value === 'object' &&
  value !== null &&
  Object.entries(value).every(
    ([status, time]) => /^(any|[1-5]\d\d)$/.test(status) && milliseconds(time) === undefined,
  )
    ? undefined
    : 'an object of milliseconds by status, such as { 200: 60_000, any: 1000 }'

const store: Check = (value) =>
  typeof value === 'object' &&
  value !== null &&
  ['get', 'createWriteStream', 'delete'].every((name) => !callable(Reflect.get(value, name)))
    ? undefined
    : "a cache store: an object with the functions get, createWriteStream and delete, such as undici's"

const checks: Checks = {
  store,
  valid,
  minUses: integer(1),
  ignore: listOf(
    oneOf('set-cookie', 'vary', 'cache-control', 'cdn-cache-control', 'expires', 'x-accel-expires'),
  ),
  heuristic: flag,
  staleWhileRevalidate: milliseconds,
  staleIfError: milliseconds,
  maxBodySize: integer(0),
  lock: flag,
  lockTimeout: milliseconds,
  storeTimeout: integer(1, 2_147_483_647),
  requestDirectives: flag,
  key: callable,
  methods: listOf(oneOf('GET', 'HEAD')),
  bypass: callable,
  noStore: callable,
  tags: callable,
  allowPurge: callable,
}

/** Checks the option `cache`. */
export const cacheCheck: Check = anyOf(flag, shape(checks))
