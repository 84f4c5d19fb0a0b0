/** DokuWiki from Debian's package with a cache: a browser that has logged in, and others that have not, at once. */
import { sites } from '@fastcgi/gateway'
import t from 'tap'
import { type AdapterOptions, startAdapter } from '../helpers/adapters.ts'
import { launchBrowser, openSite } from '../helpers/browser.ts'
import { install, logIn, needed, prepare } from '../helpers/dokuwiki-use.ts'

const ROUNDS = 10
const NAMED = 'Logged in as'
/** The cookie of a login, as it is set, not as it is deleted. */
const LOGIN = /DW[0-9a-f]{32}=(?!deleted)/

t.test('DokuWiki', needed, async (t) => {
  const browser = await launchBrowser(t)
  const { root, upstream } = await prepare(t, 0)
  const preset = sites.dokuwiki({ cache: true })
  const cache = preset.cache as AdapterOptions['cache']
  const { url, cache: cached } = await startAdapter(t, 'express', {
    ...preset,
    cache,
    root,
    upstream,
  })
  const { page } = await openSite(t, browser, `${url}/`)
  await install(page, `${url}/`)
  await logIn(t, page, `${url}/`)
  const own = page.context().request
  const paths = ['/doku.php', '/doku.php?id=start', '/doku.php?id=wiki:none']
  const style = `${url}/lib/exe/css.php?t=dokuwiki`
  // Each anonymous browser has a session, as DokuWiki gives one to everybody.
  const first = await fetch(`${url}/doku.php`)
  const session = first.headers
    .getSetCookie()
    .map((cookie) => cookie.split(';', 1)[0])
    .join('; ')
  for (let round = 0; round < ROUNDS; round++)
    await Promise.all(
      paths.flatMap((path) => [
        own.get(url + path).then(async (response) => {
          if (!(await response.text()).includes(NAMED)) t.fail(`logged in, but not at ${path}`)
        }),
        ...['', session].map(async (cookie) => {
          const response = await fetch(url + path, { headers: { cookie } })
          if ((await response.text()).includes(NAMED)) t.fail(`a page of somebody else: ${path}`)
          if (LOGIN.test(response.headers.getSetCookie().join()))
            t.fail('a cookie of somebody else')
        }),
      ]),
    )
  const styles = [await fetch(style), await fetch(style)]
  t.match(styles[1]?.headers.get('cache-status'), /hit/, 'what DokuWiki allows is stored')
  t.equal(await styles[0]?.text(), await styles[1]?.text())
  t.ok(
    (cached?.stats.bypassed ?? 0) >= ROUNDS * paths.length,
    'who has logged in goes past the cache',
  )
})
