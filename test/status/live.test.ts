/** What the script of the status page does in a real browser. */
import { ConnectError } from '@fastcgi/client'
import t, { type Test } from 'tap'
import { launchBrowser, NEEDS_CHROMIUM } from '../helpers/browser.ts'
import { stub } from '../helpers/status-faces.ts'
import {
  balancerOf,
  nextUpdate,
  openPage,
  sendRequests,
  servePage,
} from '../helpers/status-page.ts'
import { until } from '../helpers/wait.ts'

const HOSTILE = '<img src=x onerror=alert(1)><script>alert(2)</script>'

const shopOf = (t: Test, names: readonly string[] = ['a', 'b', 'c']) =>
  balancerOf(t, {
    name: 'shop',
    method: 'round-robin',
    maxFailures: 1,
    retry: 600_000,
    members: names.map((name) => ({ address: stub(), name, route: `r-${name}` })),
  })

t.test('the script of the status page', NEEDS_CHROMIUM, async (t) => {
  const browser = await launchBrowser(t)

  await t.test('what is typed, opened and focused stays, while figures change', async (t) => {
    const balancer = shopOf(t)
    const url = await servePage(t, { shop: balancer }, { actions: true })
    const { page, complaints } = await openPage(t, browser, url)
    await page.getByText('Add a member…').click()
    const field = page.getByLabel('Address')
    await field.pressSequentially('fcgi://10.0')
    await field.press('ArrowLeft')
    await sendRequests(balancer, 30)
    balancer.update('b', { status: 'draining' })
    await balancer.remove('a')
    // Names and messages come from outside, and must remain text.
    balancer.add({ address: stub(new ConnectError(`${HOSTILE} gone`)), name: HOSTILE })
    await sendRequests(balancer, 3)
    await nextUpdate(page)
    await page.getByText('gone').first().waitFor()
    t.equal(await page.locator('tbody', { hasText: 'draining' }).count(), 1)
    t.equal(await page.getByRole('link', { name: HOSTILE }).first().textContent(), HOSTILE)
    t.equal(await page.locator('main :is(img, script)').count(), 0)
    t.equal(await page.getByRole('link', { name: 'a', exact: true }).count(), 0)
    await page.keyboard.type('.')
    t.equal(await field.inputValue(), 'fcgi://10..0', 'the cursor is where it was')
    await nextUpdate(page)
    t.equal(await page.locator('details.add[open]').count(), 1)
    t.equal(await page.evaluate('document.activeElement.name'), 'address')
    t.strictSame(complaints, [])
  })

  await t.test('a member is drained by the keyboard alone', async (t) => {
    const balancer = shopOf(t)
    const url = await servePage(t, { shop: balancer }, { actions: true })
    const { page, complaints } = await openPage(t, browser, url)
    const focused = (): Promise<string> =>
      page.evaluate(
        "document.activeElement.getAttribute('aria-label') || document.activeElement.textContent",
      )
    const visited: string[] = []
    while (visited.length < 60 && visited.at(-1) !== 'Drain b') {
      await page.keyboard.press('Tab')
      visited.push(await focused())
    }
    t.equal(visited.at(-1), 'Drain b', 'the name of the button has the member', { visited })
    const outline = 'getComputedStyle(document.activeElement).outlineStyle'
    t.equal(await page.evaluate(outline), 'solid', 'one sees where one is')
    await page.keyboard.press('Enter')
    await until('it to drain', () => balancer.members[1]?.status === 'draining')
    await page.getByText('Drain b: done.').waitFor()
    t.equal(await focused(), 'Enable b', 'one is still there, and can take it back')
    await page.keyboard.press('Enter')
    await until('it to be enabled', () => balancer.members[1]?.status === 'enabled')
    await page.getByText('Enable b: done.').waitFor()
    t.strictSame(complaints, [])
  })

  await t.test('rows change their order around the one that is focused', async (t) => {
    const balancer = shopOf(t)
    const url = await servePage(t, { shop: balancer }, { actions: true })
    const { page, complaints } = await openPage(t, browser, url)
    const names = (): Promise<string[]> => page.locator('tbody th a').allTextContents()
    await page.getByRole('link', { name: 'Member', exact: true }).click()
    await page.locator('[aria-sort=ascending]').waitFor()
    await page.getByRole('link', { name: 'Member', exact: true }).click()
    await page.locator('[aria-sort=descending]').waitFor()
    t.strictSame(await names(), ['c', 'b', 'a'])
    t.match(page.url(), /\?sort=-name$/, 'the URL says so')
    await page.getByRole('button', { name: 'Drain c' }).focus()
    balancer.add({ address: stub(), name: 'd' })
    await nextUpdate(page)
    t.strictSame(await names(), ['d', 'c', 'b', 'a'])
    const label = "document.activeElement.getAttribute('aria-label')"
    t.equal(await page.evaluate(label), 'Drain c')
    await page.goBack()
    await page.locator('[aria-sort=ascending]').waitFor()
    t.strictSame(await names(), ['a', 'b', 'c', 'd'])
    t.equal(await page.evaluate(label), 'Drain c')
    t.strictSame(complaints, [])
  })

  await t.test('an action that is refused says why, and leaves what was typed', async (t) => {
    const url = await servePage(t, { shop: shopOf(t) }, { actions: true })
    const { page } = await openPage(t, browser, url)
    await page.getByText('Add a member…').click()
    await page.getByLabel('Address').fill('not an address')
    await page.getByRole('button', { name: 'Add member' }).click()
    const told = page.locator('#told')
    await page.getByText('not an address').waitFor()
    await nextUpdate(page)
    t.match(await told.textContent(), /^Nothing was changed\..*not an address/)
    t.equal(await page.getByLabel('Address').inputValue(), 'not an address')
    await page.getByLabel('Address').fill('fcgi://127.0.0.1:9')
    await page.getByRole('button', { name: 'Add member' }).click()
    await page.getByText('Add member: done.').waitFor()
    t.equal(await page.getByLabel('Address').inputValue(), '')
    t.ok(await page.getByRole('link', { name: '127.0.0.1:9' }).isVisible())
  })

  await t.test('a server that does not answer is told, and so is its return', async (t) => {
    const url = await servePage(t, { shop: shopOf(t) })
    const { page } = await openPage(t, browser, url)
    const told = page.locator('#told')
    await page.route(url, (route) => route.abort())
    await page.getByText('the server does not answer').waitFor()
    await page.unroute(url)
    await page.route(url, (route) => route.fulfill({ status: 401, body: 'Who are you?' }))
    await page.getByText('the server answers with status 401').waitFor()
    t.equal(await page.locator('tbody').count(), 3, 'the last figures stay')
    await page.unroute(url)
    await nextUpdate(page)
    t.equal(await told.textContent(), '')
  })
})
