/** The status page in a browser, as each framework and `fastcgi serve` serve it. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Balancer } from '@fastcgi/client'
import { createStatus } from '@fastcgi/gateway'
import t, { type Test } from 'tap'
import { launchBrowser, NEEDS_CHROMIUM } from '../helpers/browser.ts'
import { startPeer, wellBehaved } from '../helpers/scripted-peer.ts'
import { serve, stop } from '../helpers/serve-command.ts'
import { shop, startFace } from '../helpers/status-faces.ts'
import { nextUpdate, openPage } from '../helpers/status-page.ts'

const OPTIONS = { actions: () => true, refresh: 1 }

/** On bare node:http, as an application would do it. */
async function startAlone(t: Test, balancer: Balancer): Promise<string> {
  const status = createStatus({ dispatchers: { shop: balancer }, ...OPTIONS })
  const server = createServer(async (req, res) => {
    let body = ''
    for await (const chunk of req.setEncoding('utf8')) body += chunk
    const { method = 'GET', headers } = req
    const answer = status.respond({
      method,
      url: `http://${headers.host}${req.url}`,
      headers,
      body,
    })
    res.writeHead(answer.status, answer.headers).end(answer.body)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/ops/status`
}

t.test('the status page in a browser, served by', NEEDS_CHROMIUM, async (t) => {
  const browser = await launchBrowser(t)

  for (const name of ['fastify', 'express', 'alone'] as const)
    await t.test(name, async (t) => {
      const balancer = shop(t)
      const start = async (): Promise<string> => {
        const { origin, path } = await startFace(t, name, { shop: balancer }, OPTIONS)
        return origin + path
      }
      const url = name === 'alone' ? await startAlone(t, balancer) : await start()
      const { page, complaints } = await openPage(t, browser, url)
      await nextUpdate(page)
      await page.getByRole('button', { name: 'Drain a' }).click()
      await page.getByText('Drain a: done.').waitFor()
      t.equal(balancer.members[0]?.status, 'draining')
      await page.getByRole('link', { name: 'a', exact: true }).click()
      await page.getByRole('button', { name: 'Stop a' }).click()
      await page.getByText('Stop a: done.').waitFor()
      await page.getByText('Remove…').click()
      await page.getByRole('button', { name: 'Remove a' }).click()
      await page.getByText('Remove a: done.').waitFor()
      t.equal(await page.locator('tbody').count(), 1, 'back on the list')
      t.notMatch(page.url(), 'member=')
      t.strictSame(complaints, [])
    })

  await t.test('fastcgi serve with two workers', async (t) => {
    const peer = await startPeer(wellBehaved())
    t.teardown(() => peer.close())
    const root = t.testdir({ 'index.php': '' })
    const site = ['--root', root, '--upstream', peer.address]
    const served = await serve(t, ...site, '--workers', '2', '--status-page', '/status')
    const { page, complaints } = await openPage(t, browser, `${served.url}/status`)
    t.match(await page.locator('h1').textContent(), '2 workers')
    t.equal(await page.locator('form[method=post]').count(), 0)
    const before = await page.locator('.sums dd').first().textContent()
    t.equal(before, '0')
    await fetch(`${served.url}/`)
    await page.locator('.sums dd', { hasText: '1' }).first().waitFor()
    await page.getByRole('link', { name: peer.address }).click()
    await page.waitForURL(/member=/)
    t.match(await page.locator('h2').first().textContent(), peer.address)
    t.strictSame(complaints, [])
    await stop(t, served)
  })
})
