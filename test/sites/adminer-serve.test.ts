/** Adminer from Debian's package, behind `fastcgi serve`. */
import t from 'tap'
import { needed, prepare, useIt } from '../helpers/adminer-use.ts'
import { launchBrowser } from '../helpers/browser.ts'
import { serve, stop } from '../helpers/serve-command.ts'

t.test('Adminer: fastcgi serve --site php --adapter express', needed, async (t) => {
  const browser = await launchBrowser(t)
  const { root, upstream, database } = await prepare(t)
  const args = ['--upstream', upstream, '--root', root, '--site', 'php']
  const served = await serve(t, ...args, '--adapter', 'express')
  await useIt(t, browser, `${served.url}/`, database)
  await stop(t, served)
})
