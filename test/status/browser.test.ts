/** The status page in a real browser: Debian's Chromium, which says what it does not like. */
import { type Balancer, ConnectError, type Dispatcher } from '@fastcgi/client'
import t, { type Test } from 'tap'
import { launchBrowser, NEEDS_CHROMIUM } from '../helpers/browser.ts'
import { stub } from '../helpers/status-faces.ts'
import { balancerOf, openPage, sendRequests, servePage } from '../helpers/status-page.ts'

const HOSTILE = '<img src=x onerror=alert(1)>'

/** A balancer with something of everything, after some traffic. */
async function startShop(t: Test): Promise<Balancer> {
  const failing: Dispatcher = stub(new ConnectError(`${HOSTILE} ${'x'.repeat(300)}`))
  const balancer = balancerOf(t, {
    name: 'shop',
    method: 'round-robin',
    maxFailures: 1,
    // What has failed is to look so until the test has looked at it.
    retry: 600_000,
    members: [
      { address: stub(), name: 'a', weight: 3, route: 'a' },
      {
        address: stub(),
        name: `unix:/run/${'a-very-long-directory-'.repeat(6)}/php.sock`,
        route: 'b'.repeat(60),
        redirect: 'a',
      },
      { address: failing, name: HOSTILE },
      { address: stub(), name: 'spare', role: 'spare', status: 'disabled' },
    ],
  })
  await sendRequests(balancer, 30)
  return balancer
}

/** Returns how far each element inside a card sticks out of it, if it does. */
const STICKING_OUT = `
  [...document.querySelectorAll('section *, .health *, header *')].flatMap((inner) => {
    const card = inner.closest('section, .health, header').getBoundingClientRect()
    const { left, right, width } = inner.getBoundingClientRect()
    const by = width === 0 ? 0 : Math.max(right - card.right, card.left - left)
    return by > 0.5 ? [inner.outerHTML.slice(0, 80) + ' by ' + by] : []
  })`

t.test('the status page in a browser', NEEDS_CHROMIUM, async (t) => {
  const browser = await launchBrowser(t)

  await t.test('is shown whole, in light and dark, on wide and narrow screens', async (t) => {
    const url = await servePage(t, { shop: await startShop(t) }, { actions: true })
    const member = `?dispatcher=shop&member=${encodeURIComponent(HOSTILE)}`
    const backgrounds = new Set<string>()
    for (const [colorScheme, widths] of [
      ['light', [1600, 1217, 1215, 900, 390, 320]],
      ['dark', [1217, 390]],
    ] as const)
      for (const width of widths) {
        const options = { colorScheme, viewport: { width, height: 800 } }
        const { page, complaints } = await openPage(t, browser, url, options)
        for (const query of ['', member]) {
          if (query !== '') await page.goto(url + query)
          const what = `${colorScheme}, ${width} pixels wide ${query}`
          const [body, own] = await page.evaluate<[number, string]>(
            '[document.documentElement.scrollWidth, getComputedStyle(document.body).backgroundColor]',
          )
          backgrounds.add(own)
          t.ok(body <= width, `${what}: nothing sticks out of the page`, { body })
          t.strictSame(await page.evaluate(STICKING_OUT), [], `${what}: nor of its card`)
          t.ok(await page.getByText('failed', { exact: true }).first().isVisible(), what)
          t.equal(await page.locator('img').count(), 0, 'a name is no markup')
        }
        t.strictSame(complaints, [], `${colorScheme}, ${width}`)
        await page.context().close()
      }
    t.equal(backgrounds.size, 2, 'its style is used, and follows the scheme')
  })

  await t.test('is printed without forms, in black on white', async (t) => {
    const url = await servePage(t, { shop: await startShop(t) }, { actions: true })
    const { page } = await openPage(t, browser, url, { colorScheme: 'dark' })
    await page.emulateMedia({ media: 'print' })
    for (const hidden of ['nav', 'form', 'details', '.act'])
      for (const element of await page.locator(hidden).all())
        t.notOk(await element.isVisible(), hidden)
    const colour = 'getComputedStyle(document.body).backgroundColor'
    t.equal(await page.evaluate(colour), 'rgb(255, 255, 255)')
    t.ok(await page.getByText('failed', { exact: true }).first().isVisible())
  })

  await t.test('loads itself anew without scripts, for those who only read', async (t) => {
    const balancer = await startShop(t)
    const url = await servePage(t, { shop: balancer })
    const { page, complaints } = await openPage(t, browser, url, { javaScriptEnabled: false })
    const first = page.locator('tbody').first()
    t.match(await first.textContent(), 'ok')
    balancer.update('a', { status: 'draining' })
    await first.getByText('draining').waitFor()
    t.equal(await page.locator('form[method=post]').count(), 0)
    await page.getByText('Stop refreshing').click()
    t.match(page.url(), /\?refresh=0$/)
    t.strictSame(complaints, [])
  })

  await t.test('members are changed by its forms, without scripts', async (t) => {
    const balancer = await startShop(t)
    const url = await servePage(t, { shop: balancer }, { actions: true })
    const { page, complaints } = await openPage(t, browser, url, { javaScriptEnabled: false })
    t.equal(await page.locator('noscript').count(), 0, 'what is typed is not lost by a reload')
    await page.goto(`${url}?sort=-requests&refresh=0`)
    await page.getByRole('button', { name: 'Drain a', exact: true }).click()
    await page.getByRole('button', { name: 'Enable a', exact: true }).waitFor()
    t.equal(balancer.members[0]?.status, 'draining')
    t.ok(page.url().endsWith('/status?sort=-requests&refresh=0'), 'back where it was')

    await page.getByRole('link', { name: 'a', exact: true }).click()
    const pressed = (name: string): Promise<string | null> =>
      page.getByRole('button', { name, exact: true }).getAttribute('aria-pressed')
    t.strictSame([await pressed('Drain a'), await pressed('Enable a')], ['true', 'false'])
    await page.getByRole('button', { name: 'Enable a' }).click()
    await page.getByText('ok', { exact: true }).waitFor()
    await page.getByLabel('Weight of a', { exact: true }).fill('0.25')
    await page.getByLabel('Weight of a', { exact: true }).press('Enter')
    await page.getByText('0.25', { exact: true }).waitFor()
    t.match(balancer.members[0], { weight: 0.25, status: 'enabled' })

    await page.getByRole('link', { name: 'All members' }).click()
    await page.getByText('Add a member…').click()
    await page.getByLabel('Address').fill('not an address')
    await page.getByRole('button', { name: 'Add member' }).click()
    t.match(await page.getByRole('alert').textContent(), /not an address/)
    await page.getByText('Add a member…').click()
    await page.getByLabel('Address').fill('fcgi://127.0.0.1:9')
    await page.getByLabel('Name').fill('new one')
    await page.getByRole('button', { name: 'Add member' }).click()
    await page.getByRole('link', { name: 'new one' }).click()
    await page.getByText('Remove…').click()
    await page.getByRole('button', { name: 'Remove new one' }).click()
    t.equal(await page.getByRole('link', { name: 'new one' }).count(), 0)
    t.equal(balancer.members.length, 4)
    t.notMatch(page.url(), 'member=', 'its page has gone with it')
    // Of the status 400 above, and of nothing else.
    t.strictSame(
      complaints.filter((text) => !text.includes('status of 400')),
      [],
    )
  })
})
