/** The examples of examples/frameworks, as programs of their own in front of a real php-fpm, and of none. */
import { createHash, randomBytes } from 'node:crypto'
import t, { type Test } from 'tap'
import { EXAMPLES, type Example, startExample } from '../helpers/framework-example.ts'
import { NEEDS_FPM, phpFpm } from '../helpers/php-site.ts'
import { within } from '../helpers/wait.ts'

const NOWHERE = 'unix:/nonexistent/php-fpm.sock'

t.test('examples', NEEDS_FPM, async (t) => {
  const { address } = await phpFpm(t)
  for (const example of EXAMPLES)
    await t.test(example.name, async (t) => {
      const [running, broken] = await Promise.all([
        startExample(t, example, address),
        startExample(t, example, NOWHERE),
      ])
      const { url } = running
      await pages(t, url)
      await post(t, url)
      await upload(t, url)
      await guard(t, url)
      await brokenOff(t, url)
      for (const check of example.checks ?? []) await check(t, url)
      await brokenUpstream(t, broken.url, example)
      t.notMatch(
        running.output().replace(example.warning ?? '', ''),
        /deprecated|\(node:\d+\)/,
        'no warning of Node or of the framework',
      )
    })
})

async function pages(t: Test, url: string): Promise<void> {
  t.same(await (await fetch(`${url}/api`)).json(), { hello: 'from Node' }, 'a route of Node')
  const page = await fetch(`${url}/legacy/?a=b`)
  t.equal(page.status, 200)
  t.match(page.headers.get('content-type'), /^text\/html; charset=utf-8$/i)
  t.equal(await page.text(), '<p>Hello from PHP at /legacy/index.php', 'SCRIPT_NAME has the mount')
  const head = await fetch(`${url}/legacy/`, { method: 'HEAD' })
  t.equal(head.status, 200, 'HEAD')
  t.equal(await head.text(), '')
  const bare = await fetch(`${url}/legacy?a=b`, { redirect: 'manual' })
  t.equal(bare.status, 301, 'the bare mount point')
  t.equal(bare.headers.get('location'), '/legacy/?a=b')
  const none = await fetch(`${url}/legacy/none.php`)
  t.equal(none.status, 404, 'no such script: the 404 of the framework')
  await none.text()
}

async function post(t: Test, url: string): Promise<void> {
  const body = new URLSearchParams({ name: 'Zoë' })
  const response = await fetch(`${url}/legacy/form.php`, { method: 'POST', body })
  t.equal(response.status, 200, 'POST')
  t.equal(await response.text(), 'Hello Zoë\n')
}

async function upload(t: Test, url: string): Promise<void> {
  const content = randomBytes(300_000)
  const body = new FormData()
  body.set('file', new Blob([content]), 'photo.jpg')
  const response = await fetch(`${url}/legacy/upload.php`, { method: 'POST', body })
  const sha1 = createHash('sha1').update(content).digest('hex')
  t.equal(await response.text(), `photo.jpg: 300000 bytes, SHA-1 ${sha1}\n`, 'upload')
}

async function guard(t: Test, url: string): Promise<void> {
  for (const path of ['/legacy/private/', '/legacy//private/', '/legacy/x/..%2fprivate/']) {
    const denied = await fetch(url + path)
    t.equal(denied.status, 403, `without a key: ${path}`)
    t.equal(await denied.text(), 'No key, no entry.\n', 'the answer of the authorizer')
  }
  const allowed = await fetch(`${url}/legacy/private/`, { headers: { 'x-key': 'sesame' } })
  t.equal(allowed.status, 200, 'with the key')
  t.equal(await allowed.text(), 'Hello alice\n', 'a variable of the authorizer')
}

async function brokenOff(t: Test, url: string): Promise<void> {
  const whole = fetch(`${url}/legacy/broken.php`).then((response) => response.text())
  await t.rejects(within('the end', whole), /terminated|fetch failed/, 'a part is not a whole')
}

async function brokenUpstream(t: Test, url: string, { badGateway }: Example): Promise<void> {
  const response = await fetch(`${url}/legacy/`)
  t.equal(response.status, 502, 'nobody runs PHP')
  const body = await response.text()
  t.match(body, badGateway, 'an error page of the framework')
  t.notMatch(body, 'nonexistent', 'it does not say where PHP would be')
  const unasked = await fetch(`${url}/legacy/private/`, { headers: { 'x-key': 'sesame' } })
  t.equal(unasked.status, 503, 'a guard that cannot be asked denies')
  await unasked.text()
  t.equal((await fetch(`${url}/api`)).status, 200, 'the routes of Node work')
}
