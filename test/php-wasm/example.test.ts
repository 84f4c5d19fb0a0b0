/** `npm start` where there is no PHP, in a browser: a form, a session, an upload. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { launchBrowser, NEEDS_CHROMIUM, openSite } from '../helpers/browser.ts'
import { until, within } from '../helpers/wait.ts'

t.test('node examples/start.js --wasm', NEEDS_CHROMIUM, async (t) => {
  const env = { ...process.env, NODE_OPTIONS: '', HOST: '127.0.0.1', PORT: '0' }
  const child = spawn(process.execPath, ['examples/start.js', '--wasm'], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = once(child, 'exit')
  t.teardown(async () => {
    child.kill('SIGTERM')
    await within('the exit', exited)
  })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text) => {
    output += text
  })
  const address = (): string | undefined => /http:\/\/127\.0\.0\.1:\d+/.exec(output)?.[0]
  await until('its address', () => address() !== undefined)
  const url = address() ?? ''
  t.match(await (await fetch(`${url}/report`)).text(), /PHP 8\.\d+\.\d+ \(cgi-fcgi\)/)

  const browser = await launchBrowser(t)
  const { page, complaints } = await openSite(t, browser, url)
  await page.goto(`${url}/legacy/guestbook.php`)
  await page.getByText('Visits in this session: 1').waitFor()
  await page.getByLabel('Name').fill('Zoë & co')
  await page.getByLabel('Message').fill('Hello from a browser')
  await page.getByRole('button', { name: 'Sign' }).click()
  await page.getByText('Visits in this session: 2').waitFor()
  t.match(await page.locator('blockquote').textContent(), /Hello from a browser\s+Zoë & co/)

  await page.goto(`${url}/legacy/upload.php`)
  const file = join(process.cwd(), 'package.json')
  await page.getByLabel('File').setInputFiles(file)
  await page.getByRole('button', { name: 'Send' }).click()
  await page.getByText(`package.json: ${readFileSync(file).length} bytes`).waitFor()
  t.strictSame(
    complaints.filter((text) => !text.endsWith('/favicon.ico')),
    [],
  )
})
