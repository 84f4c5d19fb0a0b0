/** The options for Drupal: what is run, sent and denied. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { sites } from '@fastcgi/gateway'
import t from 'tap'
import { eachAdapter, startAdapter } from '../helpers/adapters.ts'
import { startPeer, wellBehaved } from '../helpers/scripted-peer.ts'

const FILES = [
  'index.php',
  'update.php',
  'core/install.php',
  'core/misc/drupal.js',
  'core/core.services.yml',
  'modules/own/own.module',
  'modules/own/evil.php',
  'sites/default/settings.php',
  'sites/default/files/a.png',
  'sites/default/private/a.pdf',
  'themes/own/page.html.twig',
  'composer.json',
  'web.config',
]

await eachAdapter(t, 'Drupal', async (t, name) => {
  const root = t.testdir({})
  for (const file of FILES) {
    mkdirSync(dirname(join(root, file)), { recursive: true })
    writeFileSync(join(root, file), 'content')
  }
  const peer = await startPeer(wellBehaved(({ params }) => `ran ${params.SCRIPT_NAME}`))
  t.teardown(() => peer.close())
  const { url } = await startAdapter(t, name, { ...sites.drupal, root, upstream: peer.address })
  for (const [path, answer] of [
    ['/', '200 ran /index.php'],
    ['/node/7', '200 ran /index.php'],
    ['/update.php', '200 ran /update.php'],
    ['/core/install.php', '200 ran /core/install.php'],
    ['/core/misc/drupal.js', '200 content'],
    ['/sites/default/files/a.png', '200 content'],
    ['/core/core.services.yml', '403'],
    ['/modules/own/own.module', '403'],
    ['/modules/own/evil.php', '403'],
    ['/sites/default/settings.php', '403'],
    ['/sites/default/private/a.pdf', '403'],
    ['/themes/own/page.html.twig', '403'],
    ['/composer.json', '403'],
    ['/web.config', '403'],
  ] as const) {
    const response = await fetch(url + path)
    const text = await response.text()
    t.equal(response.status === 200 ? `200 ${text}` : String(response.status), answer, path)
  }
})
