/** The status page in a real browser: Debian's Chromium, which says what it does not like. */
import { Balancer, ConnectError, type Dispatcher } from '@fastcgi/client'
import { fastcgiStatus } from '@fastcgi/fastify'
import Fastify from 'fastify'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import t, { type Test } from 'tap'
import { launchBrowser, NEEDS_CHROMIUM } from '../helpers/browser.ts'
import { scaled } from '../helpers/time-limit.ts'

const HOSTILE = '<img src=x onerror=alert(1)>'

function stub(error?: ConnectError): Dispatcher {
  return {
    dispatch(_request, handler) {
      process.nextTick(() => {
        if (error !== undefined) {
          handler.onError(error, true)
          return
        }
        handler.onHead(200, [], '', true)
        handler.onData(Buffer.alloc(123_456))
        handler.onEnd(0)
      })
      return { resume() {}, abort() {} }
    },
    request: () => Promise.reject(new Error('not here')),
    close: async () => {},
    destroy: async () => {},
    stats: {
      connections: 2,
      idle: 2,
      active: 0,
      queued: 0,
      limit: 16,
      requests: 0,
      failed: 0,
      retries: 0,
    },
  }
}

/** A balancer with something of everything, after some traffic, and its page. */
async function startStatus(
  t: Test,
  actions: boolean,
): Promise<{ balancer: Balancer; url: string }> {
  const long = `unix:/run/${'a-very-long-directory-'.repeat(6)}/php.sock`
  const failure = new ConnectError(`${HOSTILE} ${'x'.repeat(300)}`)
  const balancer = new Balancer({
    name: 'shop',
    method: 'round-robin',
    maxFailures: 1,
    // What has failed is to look so until the test has looked at it.
    retry: 600_000,
    members: [
      { address: stub(), name: 'a', weight: 3, route: 'a' },
      { address: stub(), name: long, route: 'b'.repeat(60), redirect: 'a' },
      { address: stub(failure), name: HOSTILE },
      { address: stub(), name: 'spare', role: 'spare', status: 'disabled' },
    ],
  })
  const app = Fastify()
  t.teardown(async () => {
    await app.close()
    await balancer.close()
  })
  const dispatchers = { shop: balancer }
  await app.register(fastcgiStatus, {
    prefix: '/status',
    dispatchers,
    actions: actions && (() => true),
  })
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  const params = { REQUEST_METHOD: 'GET', SCRIPT_NAME: '/x' }
  for (let n = 0; n < 30; n++) await (await balancer.request({ params, idempotent: true })).text()
  return { balancer, url: `${url}/status` }
}

/** A page, and all that went wrong on it. */
async function openPage(
  t: Test,
  browser: Browser,
  options: BrowserContextOptions = {},
): Promise<{ page: Page; complaints: string[] }> {
  const context = await browser.newContext(options)
  t.teardown(() => context.close())
  const page = await context.newPage()
  const complaints: string[] = []
  page.on('console', (message) => complaints.push(message.text()))
  page.on('pageerror', (error) => complaints.push(error.message))
  page.on('dialog', (dialog) => {
    complaints.push(`dialog: ${dialog.message()}`)
    dialog.dismiss().catch(() => {})
  })
  page.on('request', (request) => {
    // Chromium asks for an icon by itself.
    if (request.resourceType() !== 'document') complaints.push(`request: ${request.url()}`)
  })
  return { page, complaints }
}

t.test('the status page in a browser', NEEDS_CHROMIUM, async (t) => {
  const browser = await launchBrowser(t)

  await t.test('is shown whole, in light and dark, on wide and narrow screens', async (t) => {
    const { url } = await startStatus(t, true)
    const backgrounds = new Set<string>()
    for (const colorScheme of ['light', 'dark'] as const)
      for (const width of [1600, 1249, 1000, 390, 320]) {
        const viewport = { width, height: 800 }
        const { page, complaints } = await openPage(t, browser, { colorScheme, viewport })
        await page.goto(url)
        const what = `${colorScheme}, ${width} pixels wide`
        const [body, own] = await page.evaluate<[number, string]>(
          '[document.documentElement.scrollWidth, getComputedStyle(document.body).backgroundColor]',
        )
        backgrounds.add(own)
        t.ok(body <= width, `${what}: nothing sticks out`, { body })
        t.ok(await page.getByText('failed', { exact: true }).isVisible(), what)
        t.equal(await page.locator('img').count(), 0, 'a name is no markup')
        t.strictSame(complaints, [], what)
      }
    t.equal(backgrounds.size, 2, 'its style is used, and follows the scheme')
  })

  await t.test('loads itself anew, without scripts', async (t) => {
    const { balancer, url } = await startStatus(t, false)
    const { page, complaints } = await openPage(t, browser, { javaScriptEnabled: false })
    await page.goto(url)
    const first = page.locator('tbody').first()
    t.match(await first.textContent(), 'ok')
    balancer.update('a', { status: 'draining' })
    await first.getByText('draining').waitFor({ timeout: scaled(15_000) })
    t.equal(await page.locator('form').count(), 0)
    await page.getByText('Stop refreshing').click()
    t.match(page.url(), /\?refresh=0$/)
    t.strictSame(complaints, [])
  })

  await t.test('members are changed by its forms', async (t) => {
    const { balancer, url } = await startStatus(t, true)
    const { page, complaints } = await openPage(t, browser, { javaScriptEnabled: false })
    await page.goto(`${url}?refresh=0`)
    const first = page.locator('tbody').first()
    await first.getByRole('button', { name: 'Drain' }).click()
    await first.getByText('draining', { exact: true }).waitFor()
    t.equal(balancer.members[0]?.status, 'draining')
    t.ok(page.url().endsWith('/status?refresh=0'), 'back where it was')
    t.ok(await first.getByRole('button', { name: 'Drain' }).isDisabled())
    await first.getByRole('button', { name: 'Enable' }).click()
    await first.getByText('ok', { exact: true }).waitFor()

    await first.getByLabel('Weight').fill('0.25')
    await first.getByLabel('Weight').press('Enter')
    await first.getByRole('cell', { name: '0.25', exact: true }).waitFor()
    t.match(balancer.members[0], { weight: 0.25, status: 'enabled' })

    await page.getByLabel('Address').fill('not an address')
    await page.getByRole('button', { name: 'Add member' }).click()
    t.match(await page.getByRole('alert').textContent(), /not an address/)
    await page.getByLabel('Address').fill('fcgi://127.0.0.1:9')
    await page.getByLabel('Name').fill('new one')
    await page.getByRole('button', { name: 'Add member' }).click()
    const added = page.locator('tbody', { hasText: 'new one' })
    await added.waitFor()
    await added.getByText('Remove…').click()
    await added.getByRole('button', { name: 'Remove new one' }).click()
    await added.waitFor({ state: 'detached' })
    t.equal(balancer.members.length, 4)
    // Of the status 400 above, and of nothing else.
    t.strictSame(
      complaints.filter((text) => !text.includes('status of 400')),
      [],
    )
  })
})
