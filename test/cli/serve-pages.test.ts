/** What a browser sees of `fastcgi serve` when there is nothing to see. */
import t from 'tap'
import { ADAPTERS } from '../helpers/adapters.ts'
import { rawGet } from '../helpers/raw-http.ts'
import { serve, stop } from '../helpers/serve-command.ts'

const BROWSER = 'text/html,application/xhtml+xml,*/*;q=0.8'

for (const adapter of ADAPTERS)
  t.test(`pages for developers, and for all (${adapter})`, async (t) => {
    const root = t.testdir({ images: { 'a.png': '' }, 'x.php': '' })
    const site = ['--root', root, '--upstream', 'unix:/none/x.sock', '--adapter', adapter]
    const ask = async (url: string, accept = BROWSER) => {
      const response = await fetch(url, { headers: { accept } })
      const type = response.headers.get('content-type')
      return { status: response.status, type, text: await response.text() }
    }
    const dev = await serve(t, ...site, '--dev')
    t.match(await ask(`${dev.url}/images/`), {
      status: 404,
      type: /^text\/html/,
      text: /<dd>\/images\/ is a directory without index.php or index.html \(option index\)<\/dd>/,
    })
    t.match(await ask(`${dev.url}/none%3Cb%3E`), { text: `${root} has nothing at /none&lt;b&gt;` })
    t.match(await ask(`${dev.url}/..%2f..%2fetc/`), { status: 400 })
    const failure = await ask(`${dev.url}/x.php`)
    t.match(failure, { status: 502, text: 'cannot connect to unix:/none/x.sock' })
    t.match(JSON.parse((await ask(`${dev.url}/x.php`, 'application/json')).text), {
      error: '502 Bad Gateway',
      code: 'FCGI_CONNECT',
    })
    await stop(t, dev)

    const plain = await serve(t, ...site)
    const hidden = await ask(`${plain.url}/images/`)
    t.match(hidden, { status: 404, text: 'There is nothing at this address.' })
    t.notMatch(hidden.text, 'directory')
    t.notMatch((await ask(`${plain.url}/x.php`)).text, /none|FCGI/)
    for (const path of ['/%', '/%zz.php', '/a%00b']) {
      const { status, text } = await rawGet(plain.port, path)
      t.equal(status, 400)
      t.notMatch(text, '{"', `${path}: no JSON unless it is asked for`)
    }
    await stop(t, plain)
  })
