/** What the options of `fastcgi serve` do. */
import { symlinkSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { ADAPTERS } from '../helpers/adapters.ts'
import { startPeer, wellBehaved } from '../helpers/scripted-peer.ts'
import { serve, stop } from '../helpers/serve-command.ts'
import { PHP_FPM, php, SITE, site, textOf } from '../helpers/serve-site.ts'

/** Asks for the paths, and returns what the application was told each time. */
async function toldBy(t: Test, args: string[], ...paths: string[]): Promise<object[]> {
  const peer = await startPeer(wellBehaved())
  t.teardown(() => peer.close())
  const served = await serve(t, '--upstream', peer.address, ...args)
  for (const path of paths) await textOf(served.url + path)
  await stop(t, served)
  return peer.requests.map(({ params }) => params)
}

t.test('--route /: every path goes to the application', async (t) => {
  const root = '/does/not/exist/here'
  const every = ['--root', root, '--route', '/']
  for (const adapter of ADAPTERS) {
    const args = [...every, '--adapter', adapter, '--index', 'start.php']
    t.match(await toldBy(t, args, '/app.php/info?q', '/style.css', '/x/'), [
      {
        SCRIPT_FILENAME: `${root}/app.php`,
        SCRIPT_NAME: '/app.php',
        PATH_INFO: '/info',
        QUERY_STRING: 'q',
      },
      { SCRIPT_NAME: '/style.css' },
      { SCRIPT_FILENAME: `${root}/x/start.php` },
    ])
  }
})

t.test('--remote-root: the root by the name it has for the application', async (t) => {
  const told = await toldBy(t, ['--root', site(t), '--remote-root', '/srv/site'], '/hello.php')
  t.match(told, [{ SCRIPT_FILENAME: '/srv/site/hello.php', DOCUMENT_ROOT: '/srv/site' }])
})

t.test('--index, --front-controller', PHP_FPM, async (t) => {
  const options = ['--upstream', await php(t), '--root', site(t)]
  const served = await serve(
    t,
    ...[...options, '--index', 'other.html', '--front-controller', '/index.php'],
  )
  t.equal(await textOf(`${served.url}/`), SITE['other.html'])
  t.equal(await textOf(`${served.url}/pretty/url?x`), 'index /index.php /pretty/url?x')
  t.equal(await textOf(`${served.url}/style.css`), SITE['style.css'])
  await stop(t, served)
})

t.test('--site, --deny, --index several times, --follow-symlinks', PHP_FPM, async (t) => {
  const root = site(t)
  symlinkSync(join(process.cwd(), 'test/fixtures/php'), join(root, 'linked'))
  const options = ['--upstream', await php(t), '--root', root]
  const statuses = (url: string, ...paths: string[]): Promise<number[]> =>
    Promise.all(paths.map(async (path) => (await fetch(url + path)).status))

  const own = ['--deny', '/lib/', '--deny', '*.css', '--index', 'none.php', '--index', 'other.html']
  const plain = await serve(t, ...options, ...own, '--follow-symlinks')
  t.equal(await textOf(`${plain.url}/`), SITE['other.html'])
  const paths = ['/lib/page.inc', '/style.css', '/secret.php', '/linked/pid.php']
  t.same(await statuses(plain.url, ...paths), [403, 403, 200, 200])
  await stop(t, plain)

  const wordpress = await serve(t, ...options, '--site', 'wordpress', '--deny', '/hello.php')
  t.equal(await textOf(`${wordpress.url}/2026/x`), 'index /index.php /2026/x')
  const other = ['/wp-config.php', '/hello.php', '/secret.php', '/linked/none.php']
  t.same(await statuses(wordpress.url, ...other), [403, 403, 200, 200])
  t.match(await textOf(`${wordpress.url}/linked/pid.php`), 'index', 'no symlinks by default')
  await stop(t, wordpress)

  const front = ['--site', 'front-controller', '--front-controller', '/hello.php']
  const changed = await serve(t, ...options, ...front)
  t.equal(await textOf(`${changed.url}/x?name=you`), 'Hello you ', 'what is said besides wins')
  t.same(await statuses(changed.url, '/secret.php'), [403])
  await stop(t, changed)
})

t.test('--reuse, --no-reuse', async (t) => {
  for (const flag of ['--reuse', '--no-reuse']) {
    const peer = await startPeer(wellBehaved())
    t.teardown(() => peer.close())
    const options = ['--upstream', peer.address, '--root', site(t), flag]
    const served = await serve(t, ...options)
    await textOf(`${served.url}/hello.php`)
    await stop(t, served)
    t.equal(peer.requests[0]?.keepConnection, flag === '--reuse')
  }
})

t.test('--max-connections: no more requests at a time', PHP_FPM, async (t) => {
  const options = ['--upstream', await php(t, 4), '--root', site(t)]
  const served = await serve(t, ...options, '--max-connections', '1')
  const answers = await Promise.all([1, 2, 3].map(() => textOf(`${served.url}/times.php`)))
  const spans = answers.map((text) => text.split(' ').map(Number)).sort((a, b) => sum(a) - sum(b))
  for (const [at, [from = 0]] of spans.slice(1).entries())
    t.ok(from >= (spans[at]?.[1] ?? Infinity), `one after the other: ${JSON.stringify(spans)}`)
  await stop(t, served)
})

function sum(numbers: number[]): number {
  return numbers.reduce((a, b) => a + b, 0)
}

t.test('--hide-header, --set-header', async (t) => {
  const peer = await startPeer(wellBehaved())
  t.teardown(() => peer.close())
  const rules = ['--hide-header', 'Content-Type', '--set-header', 'X-Frame-Options: DENY']
  const root = ['--upstream', peer.address, '--root', '/srv', '--route', '/']
  const served = await serve(t, ...root, ...rules, '--set-header', 'x-time:12:30')
  const { headers } = await fetch(`${served.url}/x.php`)
  t.equal(headers.get('x-frame-options'), 'DENY')
  t.equal(headers.get('x-time'), '12:30')
  t.not(headers.get('content-type'), 'text/plain', 'the application says so')
  await stop(t, served)
})
