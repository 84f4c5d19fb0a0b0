/** Logged-in and anonymous browsers on one site at once: nobody ever gets a page of somebody else. */
import { sites } from '@fastcgi/gateway'
import t from 'tap'
import { type AdapterOptions, eachAdapter } from '../helpers/adapters.ts'
import { type Listener, startSite } from '../helpers/cached-app.ts'

const LOGGED_IN = 'wordpress_logged_in_0123456789abcdef0123456789abcdef'

/** What WordPress answers: pages of anonymous readers say nothing of caches, those of users do or do not. */
function wordpress(): Listener {
  let runs = 0
  return (req, res) => {
    const user = new RegExp(`${LOGGED_IN}=(\\w+)`).exec(req.headers.cookie ?? '')?.[1]
    // Of plug-ins that forget it, too.
    if (user !== undefined && req.url !== '/careless')
      res.setHeader('Cache-Control', 'no-cache, must-revalidate, max-age=0, no-store, private')
    if (req.url === '/login') res.setHeader('Set-Cookie', `${LOGGED_IN}=alice; HttpOnly`)
    res.setHeader('Content-Type', 'text/html').end(`run ${++runs} for ${user ?? 'nobody'}`)
  }
}

eachAdapter(t, 'like WordPress', async (t, name) => {
  const { static: _, frontController: __, index: ___, ...preset } = sites.wordpress({ cache: true })
  // Every framework's request is one that the preset knows.
  const cache = preset.cache as AdapterOptions['cache']
  const { app, get } = await startSite(t, name, wordpress(), { ...preset, cache })
  const paths = ['/', '/post?p2=1', '/careless', '/wp-admin/', '/login', '/cart/']
  const readers = [undefined, 'alice', 'bob', '_ga']
  const visit = async (reader: string | undefined, path: string): Promise<void> => {
    const cookie = reader === '_ga' ? '_ga=1' : `a=b; ${LOGGED_IN}=${reader}`
    const { body } = await get(path, reader === undefined ? {} : { Cookie: cookie })
    const wanted = reader === undefined || reader === '_ga' ? 'nobody' : reader
    if (!body.endsWith(`for ${wanted}`)) t.fail(`${reader} got ${body} at ${path}`)
  }
  const visits = Array.from({ length: 150 }, (_, at) =>
    visit(readers[at % readers.length], paths[(at * 7) % paths.length] ?? '/'),
  )
  await Promise.all(visits)
  t.ok(app.asked.length < 150, 'some came from the cache')
  const again = await get('/', { Cookie: '_ga=1; wordpress_test_cookie=1' })
  t.match(again.headers['cache-status'], /hit/)
  t.match((await get('/wp-admin/')).headers['cache-status'], /bypass/)
  t.match((await get('/?preview=true')).headers['cache-status'], /bypass/)
  t.match(
    (await get('/', { Cookie: 'woocommerce_items_in_cart=1' })).headers['cache-status'],
    /bypass/,
  )
  t.equal(
    (await get('/', { 'Content-Length': '0' }, 'POST')).headers['cache-status'],
    'FastCGI; fwd=method',
  )
})

t.test('the options of a preset', async (t) => {
  t.same({ ...sites.wordpress, cache: false }, sites.wordpress({ cache: false }))
  t.equal(sites.php({ cache: false }).cache, false)
  const { cache } = sites.wordpress({
    cache: { valid: { 200: 1000 }, bypass: (request: { url?: string }) => request.url === '/mine' },
  })
  if (cache === false) throw new Error('no cache')
  t.same(cache.valid, { 200: 1000 })
  t.ok(cache.bypass({ headers: {}, url: '/mine' }), 'both functions count')
  t.ok(cache.bypass({ headers: { cookie: 'wp-postpass_x=1' }, url: '/' }))
  t.notOk(cache.bypass({ headers: { cookie: 'a=1' }, url: '/' }))
  const bypasses = (
    site: 'frontController' | 'dokuwiki',
    url: string,
    cookie?: string,
  ): boolean => {
    const { cache } = sites[site]({ cache: true })
    return cache !== false && cache.bypass({ headers: { cookie }, url })
  }
  t.ok(bypasses('frontController', '/', 'laravel_session=1'))
  t.ok(bypasses('dokuwiki', '/doku.php?id=start&do=edit'))
  t.notOk(bypasses('dokuwiki', '/doku.php?id=start', 'DokuWiki=1'))
})
