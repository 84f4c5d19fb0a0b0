/** Debian's Chromium without a screen. */
import { existsSync } from 'node:fs'
import { type Browser, chromium, type Page } from 'playwright-core'
import type { Test } from 'tap'
import { needs } from './require-program.ts'
import { scaled } from './time-limit.ts'

const CHROMIUM = '/usr/bin/chromium'
const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

export const NEEDS_CHROMIUM = needs('chromium', existsSync(CHROMIUM) ? CHROMIUM : undefined)

/** Starts it; it ends with the test. */
export async function launchBrowser(t: Test): Promise<Browser> {
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS })
  t.after(() => browser.close())
  return browser
}

/** A page of one site, and what went wrong on it: failed responses, errors of scripts, requests to other hosts. */
export async function openSite(
  t: Test,
  browser: Browser,
  url: string,
): Promise<{ page: Page; complaints: string[] }> {
  const context = await browser.newContext()
  t.after(() => context.close())
  const complaints: string[] = []
  const { origin } = new URL(url)
  await context.route(
    (target) => target.origin !== origin,
    (route) => {
      complaints.push(`other host: ${route.request().url()}`)
      return route.abort()
    },
  )
  const page = await context.newPage()
  page.setDefaultTimeout(scaled(20_000))
  // For whoever has to find out why it failed.
  t.teardown(async () => {
    if (!t.passing()) t.comment(`${page.url()}\n${await page.locator('body').ariaSnapshot()}`)
  })
  page.on('pageerror', (error) => complaints.push(`script: ${error.message}`))
  page.on('response', (response) => {
    if (response.status() >= 400) complaints.push(`${response.status()}: ${response.url()}`)
  })
  return { page, complaints }
}
