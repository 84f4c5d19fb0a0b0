/** DokuWiki from Debian's package, mounted below a path of a Fastify application. */
import { sites } from '@fastcgi/gateway'
import t from 'tap'
import { startAdapter } from '../helpers/adapters.ts'
import { launchBrowser } from '../helpers/browser.ts'
import { BAIT } from '../helpers/dokuwiki.ts'
import { needed, prepare, useIt } from '../helpers/dokuwiki-use.ts'

t.test(
  'DokuWiki: the plugin for Fastify, mounted at /wiki, pages in PATH_INFO',
  needed,
  async (t) => {
    const browser = await launchBrowser(t)
    const { root, upstream } = await prepare(t, 2)
    const options = { ...sites.dokuwiki, prefix: '/wiki', root, upstream }
    const { url, log } = await startAdapter(t, 'fastify', options)
    await useIt(t, browser, `${url}/wiki/`)
    const denied = `refused: /${BAIT} is denied by '/data/' (option deny)`
    // A page that is left takes its requests back. DokuWiki asks for the time of a lock that it may have removed meanwhile.
    const told = log.filter((line) => !/the client went away|filemtime.*\.lock/.test(line))
    t.strictSame([...new Set(told)], [denied], 'nothing else to tell')
  },
)
