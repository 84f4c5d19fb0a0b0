// Recognizes the kind of a site by its files, and finds its public directory.
import { accessSync, constants, existsSync, readdirSync, statSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { OptionError } from '@fastcgi/client'
import { type GatewayOptions, sites } from '@fastcgi/gateway'

type SiteOptions = Pick<GatewayOptions, 'index' | 'frontController' | 'deny' | 'static'>

/** A kind of site. */
export type SiteName =
  | 'php'
  | 'front-controller'
  | 'laravel'
  | 'symfony'
  | 'wordpress'
  | 'drupal'
  | 'dokuwiki'

/** The kinds of sites, by the name that the option `site` has for them. */
const SITES: Readonly<Record<SiteName, SiteOptions>> = {
  php: sites.php,
  'front-controller': sites.frontController,
  laravel: sites.frontController,
  symfony: sites.frontController,
  wordpress: sites.wordpress,
  drupal: sites.drupal,
  dokuwiki: sites.dokuwiki,
}

export const SITE_NAMES: readonly SiteName[] = Object.keys(SITES) as SiteName[]

/** The name of a kind of site, for people. */
const TITLES: Readonly<Record<SiteName, string>> = {
  php: 'plain PHP',
  'front-controller': 'front controller',
  laravel: 'Laravel',
  symfony: 'Symfony',
  wordpress: 'WordPress',
  drupal: 'Drupal',
  dokuwiki: 'DokuWiki',
}

/** A site that was recognized, or named. */
export interface Site {
  readonly title: string
  /** The file by which it was recognized; undefined if it was named, or is plain. */
  readonly by: string | undefined
  readonly options: SiteOptions
}

/** Files that a kind of site has; the first kind of which all are there is taken. Those with `../` lie beside the root. */
const MARKS: ReadonlyArray<readonly [SiteName, readonly string[]]> = [
  ['wordpress', ['wp-login.php', 'wp-includes']],
  ['dokuwiki', ['doku.php', 'inc']],
  ['drupal', ['core/lib/Drupal.php', 'index.php']],
  ['laravel', ['../artisan', 'index.php']],
  ['symfony', ['../bin/console', 'index.php']],
  ['front-controller', ['../vendor/autoload.php', 'index.php']],
]

/** The kind of site in a directory. @param named the option `site`. */
export function siteOf(root: string, named: SiteName | undefined): Site {
  if (named !== undefined) return { title: TITLES[named], by: undefined, options: SITES[named] }
  for (const [name, marks] of MARKS)
    if (marks.every((mark) => existsSync(join(root, mark))) && isAlone(root, name))
      return { title: TITLES[name], by: marks[0], options: SITES[name] }
  return { title: TITLES.php, by: undefined, options: SITES.php }
}

/** Whether index.php is the only script of a front controller without a known name: others beside it are to run as well. */
function isAlone(root: string, name: SiteName): boolean {
  if (name !== 'front-controller') return true
  return readdirSync(root).filter((file) => file.endsWith('.php')).length === 1
}

const PUBLIC = ['public', 'web', 'htdocs'] as const

/**
 * The directory of a project that is to be served: its public/, web/ or htdocs/ with an index.php in it, else itself.
 * @throws OptionError if there is no such directory.
 */
export function publicDirectory(directory: string): string {
  checkDirectory(directory)
  const found = PUBLIC.find((name) => existsSync(join(directory, name, 'index.php')))
  return found === undefined || isSite(directory) ? directory : join(directory, found)
}

/** Whether the directory itself is the root of a known site, which may happen to have a web/ in it. */
function isSite(directory: string): boolean {
  return MARKS.some(
    ([, marks]) =>
      !marks[0]?.startsWith('../') && marks.every((mark) => existsSync(join(directory, mark))),
  )
}

/** @throws OptionError that says what is wrong with the path. */
export function checkDirectory(directory: string): void {
  const stats = statSync(directory, { bigint: true, throwIfNoEntry: false })
  if (stats?.isDirectory()) {
    checkReadable(directory)
    return
  }
  const parent = dirname(directory)
  if (stats !== undefined) throw new OptionError(`${directory} is not a directory`)
  throw new OptionError(
    existsSync(parent)
      ? `there is no directory ${directory}: ${parent} has nothing called ${basename(directory)}`
      : `there is no directory ${directory}, and no ${parent} either`,
  )
}

function checkReadable(directory: string): void {
  try {
    accessSync(directory, constants.R_OK | constants.X_OK)
  } catch {
    throw new OptionError(`the directory ${directory} cannot be read: permission denied`)
  }
}
