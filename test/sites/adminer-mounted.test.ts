/** Adminer from Debian's package, mounted below a path of a Fastify application. */
import { sites } from '@fastcgi/gateway'
import t from 'tap'
import { startAdapter } from '../helpers/adapters.ts'
import { needed, prepare, useIt } from '../helpers/adminer-use.ts'
import { launchBrowser } from '../helpers/browser.ts'

t.test('Adminer: the plugin for Fastify, mounted at /adminer', needed, async (t) => {
  const browser = await launchBrowser(t)
  const { root, upstream, database } = await prepare(t)
  const options = { ...sites.php, prefix: '/adminer', deny: ['/plugins/', '/adminer.php'] }
  const { url } = await startAdapter(t, 'fastify', { ...options, root, upstream })
  await useIt(t, browser, `${url}/adminer/`, database)
  for (const path of ['adminer.php', 'plugins/plugin.php'])
    t.equal((await fetch(`${url}/adminer/${path}`)).status, 403, `${path} is denied`)
})
