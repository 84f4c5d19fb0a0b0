/** Adminer from Debian's package, as people use it: in a browser. */
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sites } from '@fastcgi/gateway'
import type { Browser, Page } from 'playwright-core'
import t, { type Test } from 'tap'
import { startAdapter } from '../helpers/adapters.ts'
import { makeAdminer, NEEDS_ADMINER, NEEDS_SQLITE } from '../helpers/adminer.ts'
import { launchBrowser, NEEDS_CHROMIUM, openSite } from '../helpers/browser.ts'
import { NEEDS_FPM, phpFpm } from '../helpers/php-site.ts'
import { serve, stop } from '../helpers/serve-command.ts'

const needed =
  [NEEDS_FPM, NEEDS_SQLITE, NEEDS_ADMINER, NEEDS_CHROMIUM].find(({ skip }) => skip) ?? {}
const PASSWORD = 'not a secret'

t.test('Adminer', needed, async (t) => {
  const browser = await launchBrowser(t)

  await t.test('fastcgi serve --site php --adapter express', async (t) => {
    const { root, upstream, database } = await prepare(t)
    const args = ['--upstream', upstream, '--root', root, '--site', 'php']
    const served = await serve(t, ...args, '--adapter', 'express')
    await useIt(t, browser, `${served.url}/`, database)
    await stop(t, served)
  })

  await t.test('the plugin for Fastify, mounted at /adminer', async (t) => {
    const { root, upstream, database } = await prepare(t)
    const options = { ...sites.php, prefix: '/adminer', deny: ['/plugins/', '/adminer.php'] }
    const { url } = await startAdapter(t, 'fastify', { ...options, root, upstream })
    await useIt(t, browser, `${url}/adminer/`, database)
    for (const path of ['adminer.php', 'plugins/plugin.php'])
      t.equal((await fetch(`${url}/adminer/${path}`)).status, 403, `${path} is denied`)
  })
})

async function prepare(t: Test): Promise<{ root: string; upstream: string; database: string }> {
  const directory = mkdtempSync(join(tmpdir(), 'fcgi-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  const root = join(directory, 'site')
  mkdirSync(root)
  makeAdminer(root, PASSWORD)
  const php = await phpFpm(t)
  return { root, upstream: php.address, database: join(directory, 'test.db') }
}

async function useIt(t: Test, browser: Browser, url: string, database: string): Promise<void> {
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
