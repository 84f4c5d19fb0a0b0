/** DokuWiki from Debian's package, laid out as its authors publish it: all of it below one directory. */
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { needs } from './require-program.ts'

const PROGRAM = '/usr/share/dokuwiki'
const CONFIGURATION = '/etc/dokuwiki'

export const NEEDS_DOKUWIKI = needs('dokuwiki', existsSync(PROGRAM) ? PROGRAM : undefined)

/** The smallest PNG there is. */
export const PICTURE = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
)

/** DokuWiki itself tries to load this in the administrator's browser, and raises the alarm if it can. */
export const BAIT =
  'data/dont-panic-if-you-see-this-in-your-logs-it-means-your-directory-permissions-are-correct.png'

const DATA = 'attic cache index locks log media media_attic media_meta meta pages tmp'

/**
 * Copies it to a directory that does not exist yet, as it is before its installation.
 * @param rewrite its `userewrite`: 0 for pages in the query, 2 for pages in PATH_INFO.
 */
export function copyDokuWiki(root: string, rewrite: 0 | 2): void {
  // Of its sixty languages one is enough, and a smaller copy is a faster one; its plugin for tests is for root only.
  const wanted = (path: string): boolean => !/\/lang\/(?!en(\/|$))|\/testing$/.test(path)
  cpSync(PROGRAM, root, { recursive: true, dereference: true, filter: wanted })
  // Of Debian: it says that configuration and data lie elsewhere.
  rmSync(join(root, 'inc/preload.php'))
  const own = (path: string): boolean => !/(local|auth)\.php$/.test(path)
  cpSync(CONFIGURATION, join(root, 'conf'), { recursive: true, dereference: true, filter: own })
  const file = join(root, 'conf/dokuwiki.php')
  writeFileSync(file, readFileSync(file, 'utf8').replace("'/var/lib/dokuwiki/data'", "'./data'"))
  // It would ask its makers for news.
  const settings = { updatecheck: 0, userewrite: rewrite }
  const lines = Object.entries(settings).map(([name, value]) => `$conf['${name}'] = ${value};\n`)
  writeFileSync(join(root, 'conf/local.protected.php'), `<?php\n${lines.join('')}`)
  for (const name of DATA.split(' ')) mkdirSync(join(root, 'data', name), { recursive: true })
  mkdirSync(join(root, 'data/media/wiki'))
  writeFileSync(join(root, 'data/media/wiki/dokuwiki-128.png'), PICTURE)
  writeFileSync(join(root, BAIT), PICTURE)
}
