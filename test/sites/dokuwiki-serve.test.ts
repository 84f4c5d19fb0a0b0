/** DokuWiki from Debian's package, behind `fastcgi serve`. */
import t from 'tap'
import { launchBrowser } from '../helpers/browser.ts'
import { needed, prepare, useIt } from '../helpers/dokuwiki-use.ts'
import { serve, stop } from '../helpers/serve-command.ts'

t.test('DokuWiki: fastcgi serve --site dokuwiki', needed, async (t) => {
  const browser = await launchBrowser(t)
  const { root, upstream } = await prepare(t, 0)
  const args = ['--upstream', upstream, '--root', root, '--site', 'dokuwiki']
  const served = await serve(t, ...args, '--log-level', 'warn')
  await useIt(t, browser, `${served.url}/`)
  await stop(t, served)
  t.equal(served.stderr(), '', 'nothing to warn of')
})
