/** The command `fastcgi serve` as a process of its own, in front of a real php-fpm. */
import { once } from 'node:events'
import { connect } from 'node:net'
import t from 'tap'
import { ADAPTERS } from '../helpers/adapters.ts'
import { rawGet } from '../helpers/raw-http.ts'
import { serve, stop } from '../helpers/serve-command.ts'
import { PHP_FPM, php, SECRET, SITE, site, textOf } from '../helpers/serve-site.ts'
import { scaled } from '../helpers/time-limit.ts'
import { delay, within } from '../helpers/wait.ts'

for (const adapter of ADAPTERS)
  t.test(`serves a site (${adapter})`, PHP_FPM, async (t) => {
    const root = site(t)
    const upstream = await php(t)
    const served = await serve(t, '--upstream', upstream, '--root', root, '--adapter', adapter)
    const { url, port } = served

    t.equal(await textOf(`${url}/`), 'index /index.php /')
    t.equal(await textOf(`${url}/hello.php?name=you`), 'Hello you ')
    t.equal(await textOf(`${url}/hello.php/more`), 'Hello  /more')
    const css = await fetch(`${url}/style.css`)
    t.match(css.headers.get('content-type'), /^text\/css/)
    t.equal(await css.text(), SITE['style.css'])
    t.equal((await fetch(`${url}/missing.css`)).status, 404)

    t.equal(await textOf(`${url}/secret.php`), 'run')
    const paths = ['/upper.PHP', '/secret.PHP', '/backup.php~', '/backup.php.bak', '/lib/page.inc']
    const hidden = ['/.env', '/.git/config', '/%2eenv', '/lib/../.env', '/lib/%2e%2e/.git/config']
    for (const path of [...paths, ...hidden, '/secret.php%00.css', '/secret.php/']) {
      const { status, text } = await rawGet(port, path)
      t.notMatch(text, SECRET, `${path} (${status})`)
      if (path !== '/secret.php/') t.ok(status >= 400, `${path}: ${status}`)
    }

    await stop(t, served)
    t.equal(
      served.stdout(),
      `fastcgi: ${url}/ serves ${root} (plain PHP) through ${upstream}\n`,
      'one line on stdout',
    )
    t.notMatch(served.stderr(), 'hello.php', 'no log of requests unless it is asked for')
  })

for (const adapter of ADAPTERS)
  t.test(`SIGTERM: what runs gets its whole answer (${adapter})`, PHP_FPM, async (t) => {
    const root = site(t)
    const served = await serve(t, '--upstream', await php(t), '--root', root, '--adapter', adapter)
    const response = await fetch(`${served.url}/slow.php?ms=600`)
    served.child.kill('SIGTERM')
    const text = response.text()
    t.equal(await Promise.race([text, delay(200)]), undefined, 'it still runs')
    t.equal(await text, 'begin end')
    const begun = performance.now()
    t.same(await within('the exit', served.exited), { code: 0, signal: null })
    // fetch keeps its connection: that alone must not hold the process up.
    const took = performance.now() - begun
    t.ok(took < scaled(2000), `after ${took} ms`)
  })

t.test('the second signal ends it at once, of either kind', PHP_FPM, async (t) => {
  const root = site(t)
  const upstream = await php(t)
  for (const [first, second] of [
    ['SIGTERM', 'SIGTERM'],
    ['SIGTERM', 'SIGINT'],
  ] as const) {
    const served = await serve(t, '--upstream', upstream, '--root', root)
    const response = await fetch(`${served.url}/slow.php?ms=5000`)
    served.child.kill(first)
    await within('the server to stop listening', refuses(served.port))
    served.child.kill(second)
    const exit = await within('the exit', served.exited, 2000)
    t.same(exit, { code: null, signal: second }, `${first}, ${second}`)
    await t.rejects(response.text(), 'the client learns that it has not got all')
  }
})

/** Resolves when nobody listens any more. */
async function refuses(port: number): Promise<void> {
  for (;;) {
    const socket = connect({ host: '127.0.0.1', port })
    const isOpen = await Promise.race([
      once(socket, 'connect').then(() => true),
      once(socket, 'error').then(() => false),
    ]).catch(() => false)
    socket.destroy()
    if (!isOpen) return
  }
}
