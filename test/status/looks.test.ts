/**
 * How the status page looks in three states, light, dark and narrow: axe-core finds nothing wrong with it. With the variable
 * FCGI_TEST_SCREENSHOTS=1, pictures are written to docs/images.
 */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { Balancer, ConnectError } from '@fastcgi/client'
import { fastcgiStatus } from '@fastcgi/fastify'
import axe from 'axe-core'
import Fastify, { type FastifyInstance } from 'fastify'
import type { Browser, Page } from 'playwright-core'
import t, { type Test } from 'tap'
import { launchBrowser, NEEDS_CHROMIUM } from '../helpers/browser.ts'
import { Application, livedThrough, STEPS } from '../helpers/lived-through.ts'
import { openPage, sendRequests } from '../helpers/status-page.ts'

const PICTURES = process.env.FCGI_TEST_SCREENSHOTS === '1'
const IMAGES = fileURLToPath(new URL('../../../docs/images', import.meta.url))

const LOOKS = [
  ['light', { colorScheme: 'light', viewport: { width: 1280, height: 720 } }],
  ['dark', { colorScheme: 'dark', viewport: { width: 1280, height: 720 } }],
  ['narrow', { colorScheme: 'light', viewport: { width: 390, height: 720 } }],
] as const

interface Site {
  readonly applications: readonly Application[]
  readonly balancer: Balancer
  readonly app: FastifyInstance
}

const nameOf = (at: number): string => `unix:/run/php/${'abc'[at]}.sock`

/** The page of a balancer with so many members. */
async function startSite(members: number): Promise<Site> {
  const applications = Array.from({ length: members }, () => new Application())
  const balancer = new Balancer({
    name: 'shop',
    method: 'byrequests',
    members: applications.map((address, at) => ({ address, name: nameOf(at), route: `r${at}` })),
    maxFailures: 1,
    retry: 3_600_000,
  })
  const app = Fastify()
  const prefix = '/status'
  const common = { prefix, dispatchers: { shop: balancer }, refresh: 60 }
  app.register(fastcgiStatus, { ...common, actions: () => true, operator: () => 'anna' })
  await app.ready()
  return { applications, balancer, app }
}

/** Requests in a step: more and fewer, like the tide. */
const tide = (step: number): number => 60 + Math.round(25 * Math.sin(step / 9) + 8 * Math.sin(step))

const STATES: Readonly<Record<string, () => Promise<Site>>> = {
  /** All members answer; one of them was drained for a while. */
  healthy: () =>
    livedThrough(
      () => startSite(3),
      async (step, { balancer }) => {
        if (step === 41) balancer.update(nameOf(2), { status: 'draining' }, 'anna')
        if (step === 55) balancer.update(nameOf(2), { status: 'enabled' }, 'anna')
        await sendRequests(balancer, tide(step))
      },
    ),
  /** One of them cannot be connected to since some minutes. */
  down: () =>
    livedThrough(
      () => startSite(3),
      async (step, { applications: [, second], balancer }) => {
        const path = nameOf(1).slice('unix:'.length)
        if (second && step === 64)
          second.error = new ConnectError(
            `cannot connect to ${nameOf(1)}: there is no such socket (connect ENOENT ${path})`,
          )
        await sendRequests(balancer, tide(step))
      },
    ),
  /** The only one has no free worker. */
  busy: () =>
    livedThrough(
      () => startSite(1),
      async (step, { applications: [only], balancer }) => {
        if (only === undefined) return
        const load = Math.max(0, step - (STEPS - 26))
        only.time = 20 + load * 5
        only.stats.queued = Math.round(load * 1.7)
        await sendRequests(balancer, tide(step))
        if (step !== STEPS - 1) return
        const spare = { waiting: 0, spare: 0, probed: 1200, raised: undefined, cut: 190_000 }
        const learned = { adaptive: true, most: 64, served: 8, ...spare }
        Object.assign(only.stats, { connections: 8, idle: 0, active: 8, limit: 8, learned })
        only.hangs = true
        for (let n = 0; n < 8; n++) sendRequests(balancer, 1)
      },
    ),
}

/** What axe-core complains of, in short. Of the dark page only what depends on colours: all else is that of the light one. */
async function complaintsOf(page: Page, look: string): Promise<string[]> {
  await page.evaluate(axe.source)
  const options = look === 'dark' ? { runOnly: { type: 'rule', values: ['color-contrast'] } } : {}
  const { violations } = await page.evaluate<axe.AxeResults>(
    `axe.run(document, ${JSON.stringify(options)})`,
  )
  return violations.map(
    ({ id, impact, nodes }) => `${impact} ${id}: ${nodes.map(({ html }) => html).join(' ')}`,
  )
}

/** Writes a picture; pngquant, where it is installed, makes it a third as large. */
async function takePicture(page: Page, name: string): Promise<void> {
  const path = `${IMAGES}/${name}.png`
  await page.screenshot({ path, fullPage: true })
  spawnSync('pngquant', ['--force', '--ext', '.png', '48', path])
}

async function look(t: Test, browser: Browser, state: string, url: string): Promise<void> {
  for (const [name, options] of LOOKS) {
    const what = `${state}, ${name}`
    const { page, complaints } = await openPage(t, browser, url, options)
    t.strictSame(await complaintsOf(page, name), [], `${what}: axe-core finds nothing`)
    if (PICTURES) await takePicture(page, `status-${state}-${name}`)
    if (state === 'down') {
      await page
        .getByRole('link', { name: nameOf(1) })
        .first()
        .click()
      await page.getByRole('link', { name: 'All members' }).waitFor()
      t.strictSame(await complaintsOf(page, name), [], `${what}: nor on the page of a member`)
      if (PICTURES) await takePicture(page, `status-member-${name}`)
    }
    t.strictSame(complaints, [], what)
    await page.context().close()
  }
}

t.test('the looks of the status page', NEEDS_CHROMIUM, async (t) => {
  const browser = await launchBrowser(t)
  for (const [state, make] of Object.entries(STATES)) {
    const { app, balancer } = await make()
    t.teardown(() => Promise.all([app.close(), balancer.destroy()]))
    const url = await app.listen({ host: '127.0.0.1', port: 0 })
    await look(t, browser, state, `${url}/status`)
  }
})
