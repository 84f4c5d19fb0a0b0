/** The status page of balancers in a browser. */
import { Balancer, type BalancerOptions, type Dispatcher } from '@fastcgi/client'
import { fastcgiStatus } from '@fastcgi/fastify'
import Fastify from 'fastify'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import type { Test } from 'tap'
import { scaled } from './time-limit.ts'

/** A balancer that is closed with the test. */
export function balancerOf(t: Test, options: BalancerOptions): Balancer {
  const balancer = new Balancer(options)
  t.teardown(() => balancer.close())
  return balancer
}

interface PageOptions {
  /** Whether members may be changed. */
  actions?: boolean
  /** Seconds between two updates. */
  refresh?: number
}

/** Serves the page of dispatchers; returns its URL. */
export async function servePage(
  t: Test,
  dispatchers: Readonly<Record<string, Dispatcher>>,
  { actions = false, refresh = 1 }: PageOptions = {},
): Promise<string> {
  const app = Fastify()
  t.teardown(() => app.close())
  const allowed = actions && (() => true)
  await app.register(fastcgiStatus, { prefix: '/status', dispatchers, actions: allowed, refresh })
  return `${await app.listen({ host: '127.0.0.1', port: 0 })}/status`
}

/** Sends requests, one after the other, whatever becomes of them. */
export async function sendRequests(dispatcher: Dispatcher, times: number): Promise<void> {
  const params = { REQUEST_METHOD: 'GET', SCRIPT_NAME: '/x' }
  for (let n = 0; n < times; n++)
    await dispatcher.request({ params, idempotent: true }).then(
      (response) => response.text(),
      () => '',
    )
}

/** A page, and all that went wrong on it: what the browser complains of, dialogs, and requests for anything but the page. */
export interface OpenedPage {
  readonly page: Page
  readonly complaints: string[]
}

/** Opens a page in a context of its own. */
export async function openPage(
  t: Test,
  browser: Browser,
  url: string,
  options: BrowserContextOptions = {},
): Promise<OpenedPage> {
  const context = await browser.newContext(options)
  t.teardown(() => context.close())
  const page = await context.newPage()
  page.setDefaultTimeout(scaled(15_000))
  const complaints: string[] = []
  page.on('console', (message) => complaints.push(message.text()))
  page.on('pageerror', (error) => complaints.push(error.message))
  page.on('dialog', (dialog) => {
    complaints.push(`dialog: ${dialog.message()}`)
    dialog.dismiss().catch(() => {})
  })
  page.on('request', (request) => {
    const { origin, pathname } = new URL(request.url())
    const isPage = origin + pathname === url && request.resourceType().match(/^(document|fetch)$/)
    if (!isPage) complaints.push(`request: ${request.url()}`)
  })
  await page.goto(url)
  return { page, complaints }
}

/** Waits for the next time that the script of the page has fetched it and shown it. */
export async function nextUpdate(page: Page): Promise<void> {
  const before = await page.locator('header time').getAttribute('datetime')
  await page.locator(`header time:not([datetime="${before}"])`).waitFor()
}
