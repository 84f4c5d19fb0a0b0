/** Adminer from Debian's package, used in a browser: a database, a table, a row. */
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import type { Test } from 'tap'
import { makeAdminer, NEEDS_ADMINER, NEEDS_SQLITE } from './adminer.ts'
import { NEEDS_CHROMIUM, openSite } from './browser.ts'
import { NEEDS_FPM, phpFpm } from './php-site.ts'

export const needed =
  [NEEDS_FPM, NEEDS_SQLITE, NEEDS_ADMINER, NEEDS_CHROMIUM].find(({ skip }) => skip) ?? {}
const PASSWORD = 'not a secret'

export async function prepare(
  t: Test,
): Promise<{ root: string; upstream: string; database: string }> {
  const directory = mkdtempSync(join(tmpdir(), 'fcgi-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  const root = join(directory, 'site')
  mkdirSync(root)
  makeAdminer(root, PASSWORD)
  const php = await phpFpm(t)
  return { root, upstream: php.address, database: join(directory, 'test.db') }
}

export async function useIt(
  t: Test,
  browser: Browser,
  url: string,
  database: string,
): Promise<void> {
  const { page, complaints } = await openSite(t, browser, url)
  page.on('dialog', (dialog) => void dialog.accept())
  await logIn(page, url)
  await createDatabase(page, database)
  t.ok(existsSync(database))
  await createTable(page)
  await insert(page, 'Ada, “Gräfin”')
  await page.getByRole('link', { name: 'Select data' }).click()
  await page.getByText('Ada, “Gräfin”').waitFor()
  t.strictSame(complaints, [], 'nothing went wrong on the way')
}

async function logIn(page: Page, url: string): Promise<void> {
  await page.goto(url)
  await page.locator('select[name="auth[driver]"]').selectOption('sqlite')
  await page.locator('input[name="auth[username]"]').fill('ada')
  await page.locator('input[name="auth[password]"]').fill(PASSWORD)
  await page.getByRole('button', { name: 'Login' }).click()
  await page.getByText('Logged as').waitFor()
}

async function createDatabase(page: Page, file: string): Promise<void> {
  await page.getByRole('link', { name: 'Create database' }).click()
  await page.locator('input[name=name]').fill(file)
  await page.getByRole('button', { name: 'Save' }).click()
  await page.getByText('Database has been created').waitFor()
}

async function createTable(page: Page): Promise<void> {
  await page.getByRole('link', { name: 'Create table' }).first().click()
  // Its script puts the cursor there, perhaps while something is written elsewhere.
  await page.locator('input[name=name]:focus').waitFor()
  await page.locator('input[name=name]').fill('people')
  await page.locator('input[name="fields[1][field]"]').fill('name')
  await page.locator('select[name="fields[1][type]"]').selectOption('text')
  await page.getByRole('button', { name: 'Save' }).first().click()
  await page.getByText('Table has been created').waitFor()
}

async function insert(page: Page, name: string): Promise<void> {
  await page.getByRole('link', { name: 'New item' }).click()
  await page.locator('[name="fields[name]"]').fill(name)
  await page.getByRole('button', { name: 'Save', exact: true }).click()
  await page.getByText('has been inserted').waitFor()
}
