/** DokuWiki from Debian's package, used in a browser: installed, a page written, a picture uploaded, a search. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import type { Test } from 'tap'
import { NEEDS_CHROMIUM, openSite } from './browser.ts'
import { BAIT, copyDokuWiki, NEEDS_DOKUWIKI, PICTURE } from './dokuwiki.ts'
import { NEEDS_FPM, phpFpm } from './php-site.ts'
import { scaled } from './time-limit.ts'

export const needed = [NEEDS_FPM, NEEDS_DOKUWIKI, NEEDS_CHROMIUM].find(({ skip }) => skip) ?? {}
const PASSWORD = 'not a secret'

export async function prepare(
  t: Test,
  rewrite: 0 | 2,
): Promise<{ root: string; upstream: string }> {
  const directory = mkdtempSync(join(tmpdir(), 'fcgi-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  const root = join(directory, 'wiki')
  copyDokuWiki(root, rewrite)
  const php = await phpFpm(t, { children: 4 })
  return { root, upstream: php.address }
}

export async function useIt(t: Test, browser: Browser, url: string): Promise<void> {
  const { page, complaints } = await openSite(t, browser, url)
  await install(page, url)
  await logIn(t, page, url)
  await edit(t, page, url)
  await upload(t, page, url)
  await search(t, page, url)
  t.strictSame([...new Set(complaints)], [`403: ${url}${BAIT}`], 'nothing else went wrong')
}

export async function install(page: Page, url: string): Promise<void> {
  await page.goto(`${url}install.php`)
  await page.locator('#title').fill('Wiki of the test')
  await page.locator('#superuser').fill('ada')
  await page.locator('#fullname').fill('Ada Lovelace')
  await page.locator('#email').fill('ada@example.org')
  await page.locator('#password').fill(PASSWORD)
  await page.locator('#confirm').fill(PASSWORD)
  await page.getByRole('button', { name: 'Save' }).click()
  await page.getByText('The configuration was finished successfully').waitFor()
}

export async function logIn(t: Test, page: Page, url: string): Promise<void> {
  await page.goto(url)
  await page.getByRole('link', { name: 'Log In' }).click()
  // Its script puts the cursor there, perhaps while something is written elsewhere.
  await page.locator('#focus__this:focus').waitFor()
  await page.getByLabel('Username').fill('ada')
  await page.getByLabel('Password').fill(PASSWORD)
  await page.locator('#dw__login').getByRole('button', { name: 'Log In' }).click()
  await page.getByText('Logged in as').waitFor()
  t.match(await page.title(), 'Wiki of the test')
}

async function edit(t: Test, page: Page, url: string): Promise<void> {
  await page.goto(`${url}doku.php?id=notes:engine`)
  await page.getByRole('link', { name: 'Create this page' }).first().click()
  const text = '====== Notes ======\n\nThe //Analytical Engine// weaves — wörter.\n'
  await page.locator('#wiki__text:focus').waitFor()
  await page.locator('#wiki__text').fill(text)
  await page.locator('#edbtn__save').click()
  await page.getByRole('heading', { name: 'Notes' }).waitFor()
  t.equal(await page.locator('#dokuwiki__content em').first().textContent(), 'Analytical Engine')
  t.match(await page.locator('#dokuwiki__content').textContent(), 'weaves — wörter.')
}

async function upload(t: Test, page: Page, url: string): Promise<void> {
  await page.goto(`${url}doku.php?do=media&ns=notes`)
  await page.getByRole('link', { name: 'Upload' }).click()
  const file = { name: 'engine.png', mimeType: 'image/png', buffer: PICTURE }
  await page.locator('input[type=file]').setInputFiles(file)
  await page.getByRole('button', { name: 'Upload' }).click()
  await page.locator('.qq-upload-success').waitFor()
  const { request } = page.context()
  const picture = await request.get(`${url}lib/exe/fetch.php?media=notes:engine.png`)
  t.equal(picture.headers()['content-type'], 'image/png')
  t.same(await picture.body(), PICTURE, 'what was uploaded comes back')
}

async function search(t: Test, page: Page, url: string): Promise<void> {
  const found = page.locator('#dokuwiki__content').getByRole('link', { name: 'engine' })
  const end = performance.now() + scaled(30_000)
  do {
    if (performance.now() > end) throw new Error('the page is not found')
    // DokuWiki indexes a page when it has been shown, by a picture in it that a browser on its way elsewhere may not ask for.
    await page.goto(`${url}doku.php?id=notes:engine`)
    await page.locator('#dw__search input[name=q]').fill('analytical')
    await page.locator('#dw__search').getByRole('button').click()
    await page.getByRole('heading', { name: 'Search' }).waitFor()
  } while ((await found.count()) === 0)
  t.match(await found.first().getAttribute('href'), 'notes:engine')
  t.match(await page.locator('#dokuwiki__content').textContent(), 'The //Analytical Engine//')
}
