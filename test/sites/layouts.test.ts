/** Whole PHP sites: what the options of each kind of site make of its URLs, and what is never given away. */
import { utimesSync } from 'node:fs'
import { sites } from '@fastcgi/gateway'
import t from 'tap'
import { ask } from '../helpers/php-http.ts'
import { NEEDS_FPM, phpFpm } from '../helpers/php-site.ts'
import { copyFixture, everywhere, follows } from '../helpers/site-layouts.ts'

t.test('a front controller, as of Symfony or Laravel', NEEDS_FPM, async (t) => {
  const root = copyFixture(t, 'front-controller', 'public')
  const { address: upstream } = await phpFpm(t)
  await everywhere(t, sites.frontController, { root, upstream }, async (t, get, port, mount) => {
    await follows(t, get, mount, {
      '/': `home, articles at ${mount}/articles/1`,
      '/articles/7?draft=1': 'article 7 draft=1',
      '/articles/b%C3%A4r': 'article bär',
      '/articles/style.css': 'article style.css',
      '/articles/x/y': 'no route for /articles/x/y',
      '/style.css': 'color: green',
      '/assets/app.js': "console.log('built')",
      '/assets': 'no route for /assets',
      '/assets/': 'no route for /assets/',
      '/missing.css': 'no route for /missing.css',
      '/../src/router.php': mount === '' ? 400 : 404,
      '/index.php': 403,
      '/index.php/articles/7': 403,
      '/other.php': 403,
      '/assets/tool.php': 403,
      '/assets/tool.PHP/x': 403,
      '/missing.php': 403,
    })
    const { status, headers } = await ask(port, `${mount}/articles`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: 'title=New+one',
    })
    t.match(
      { status, headers },
      { status: 303, headers: { location: `${mount}/articles/New%20one` } },
    )
  })
})

t.test('permalinks, as of WordPress', NEEDS_FPM, async (t) => {
  const root = copyFixture(t, 'wordpress')
  const { address: upstream } = await phpFpm(t)
  await everywhere(t, sites.wordpress, { root, upstream }, async (t, get, port, mount) => {
    await follows(t, get, mount, {
      '/': 'posts of the test',
      '/index.php': 'posts of the test',
      '/?p=7': '-> /2026/11/post-7/',
      '/2026/11/hello-world/': 'post hello-world',
      '/2026/11/hello-world': '-> /2026/11/hello-world/',
      '/2026/11/%E4%BD%A0%E5%A5%BD/?x': 'post 你好',
      '/index.php/2026/11/by-path-info/': 'post by-path-info',
      '/wp-json/wp/v2/posts?per_page=1': '{"route":"\\/wp\\/v2\\/posts","method":"GET"}',
      '/wp-login.php?redirect_to=x': 'log in, then x',
      '/wp-admin': '-> /wp-admin/',
      '/wp-admin?x=%20y': '-> /wp-admin/?x=%20y',
      '/wp-admin/': 'dashboard',
      '/wp-admin/admin-ajax.php?action=heartbeat': '{"action":"heartbeat"}',
      '/wp-content/themes/plain/style.css': 'color: blue',
      '/wp-includes/wp.js': 'window.wp = {}',
      '/wp-content/uploads/2026/photo.jpg': 'a picture',
      '/wp-content/': 404,
      '/missing.php': 404,
      '/wp-content/uploads/2026/evil.php': 403,
      '/wp-content/uploads/2026/evil.php/x.jpg': 403,
      '/wp-content/uploads/2026/%65vil.PHP': 403,
      '/wp-content/uploads//2026/photo.jpg/x.php': 403,
      '/wp-config.php': 403,
      '/WP-CONFIG.php': 403,
      '/wp-config%2ephp/': 403,
      '/wp-admin/includes/file.php': 403,
      '/wp-content/debug.log': 403,
    })
    const put = await ask(port, `${mount}/wp-json/wp/v2/posts/1`, { method: 'PUT', body: '{}' })
    t.same(JSON.parse(put.body.toString()), { route: '/wp/v2/posts/1', method: 'PUT' })
  })
})

t.test('files have validators', NEEDS_FPM, async (t) => {
  const root = copyFixture(t, 'wordpress')
  const { address: upstream } = await phpFpm(t)
  const file = '/wp-content/themes/plain/style.css'
  const modified = 'Sat, 01 Nov 2025 12:00:00 GMT'
  // What has just been written has a weak tag, for two seconds.
  utimesSync(root + file, new Date(modified), new Date(modified))
  await everywhere(t, sites.wordpress, { root, upstream }, async (t, _get, port, mount) => {
    const path = mount + file
    const { headers } = await ask(port, path)
    t.match(headers, { 'content-type': /^text\/css/, 'last-modified': modified, etag: /./ })
    for (const [name, value] of [
      ['if-none-match', headers.etag],
      ['if-modified-since', modified],
    ] as const) {
      const again = await ask(port, path, { headers: { [name]: value } })
      t.match(again, { status: 304, headers: { etag: headers.etag } }, name)
      t.equal(again.body.length, 0)
    }
    const part = await ask(port, path, { headers: { range: 'bytes=0-3' } })
    t.equal(part.status, 206)
    t.equal(part.body.toString(), 'body')
  })
})
