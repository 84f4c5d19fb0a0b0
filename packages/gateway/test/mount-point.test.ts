/** Where frameworks have mounted a handler, by what they make of `req.url`. */
import type { IncomingMessage } from 'node:http'
import t from 'tap'
import { mountedURL } from './internals.ts'

interface Target {
  url?: string
  originalUrl?: string
  baseUrl?: string
}

const CASES: ReadonlyArray<
  readonly [name: string, req: Target, url: string, rewritten: string | undefined, mount: string]
> = [
  ['node:http', { url: '/a?b' }, '/a?b', '/a?b', ''],
  ['node:http, asterisk', { url: '*' }, '*', undefined, ''],
  ['no target', {}, '/', '/', ''],
  ['connect at the root', { url: '/a?b', originalUrl: '/a?b' }, '/a?b', '/a?b', ''],
  [
    'connect at a path',
    { url: '/a?b', originalUrl: '/shop/a?b' },
    '/shop/a?b',
    '/shop/a?b',
    '/shop',
  ],
  [
    'connect, escaped',
    { url: '/a', originalUrl: '/sh%6Fp/a' },
    '/sh%6Fp/a',
    '/sh%6Fp/a',
    '/sh%6Fp',
  ],
  ['connect, bare', { url: '/', originalUrl: '/shop' }, '/shop', '/shop/', '/shop'],
  [
    'connect, bare with a query',
    { url: '/?b', originalUrl: '/shop?b' },
    '/shop?b',
    '/shop/?b',
    '/shop',
  ],
  ['connect, slash', { url: '/', originalUrl: '/shop/' }, '/shop/', '/shop/', '/shop'],
  ['connect, the same twice', { url: '/a/a', originalUrl: '/a/a/a' }, '/a/a/a', '/a/a/a', '/a'],
  [
    'connect, a slash in the query',
    { url: '/a?x=/b', originalUrl: '/shop/a?x=/b' },
    '/shop/a?x=/b',
    '/shop/a?x=/b',
    '/shop',
  ],
  [
    'connect, absolute form',
    { url: 'http://h/a', originalUrl: 'http://h/shop/a' },
    'http://h/shop/a',
    undefined,
    '/shop',
  ],
  ['rewritten', { url: '/b.php?c', originalUrl: '/a' }, '/a', '/b.php?c', ''],
  [
    'Express',
    { url: '/a', originalUrl: '/shop/a', baseUrl: '/shop' },
    '/shop/a',
    '/shop/a',
    '/shop',
  ],
  [
    'Express, rewritten',
    { url: '/b', originalUrl: '/shop/a', baseUrl: '/shop' },
    '/shop/a',
    '/shop/b',
    '/shop',
  ],
]

for (const [name, req, url, rewrittenUrl, mount] of CASES)
  t.test(name, (t) => {
    t.same(mountedURL(req as IncomingMessage), { url, rewrittenUrl, mount })
    t.end()
  })
