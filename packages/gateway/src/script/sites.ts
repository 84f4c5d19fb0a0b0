import { type Cached, cachedSite, SITE_CACHES, type SiteCache } from './site-caches.ts'

/** Options of a kind of sites. */
interface SiteOptions {
  readonly static: true
  readonly index: readonly string[] | false
  readonly frontController?: string
  readonly deny: readonly string[]
}

/**
 * Options of a kind of sites; as a function, the same with a cache: `{ cache: true }`, or options of a cache, which override
 * those of the preset. Requests that either function `bypass` names go past the cache.
 */
type Preset = SiteOptions &
  (<Cache extends object = SiteCache>(more: {
    cache: boolean | Cache
  }) => SiteOptions & Cached<Cache>)

function preset(options: SiteOptions, cache: SiteCache): Preset {
  const withCache = (more: { cache: boolean | object }) => ({
    ...options,
    cache: cachedSite(cache, more.cache),
  })
  return Object.assign(withCache, options) as Preset
}

/**
 * Options for well-known kinds of PHP sites, to be spread before your own, which override them:
 * `createGateway({ ...sites.wordpress, upstream, root })`. To deny further paths:
 * `deny: [...sites.wordpress.deny, '/private/']`. With a cache: `...sites.wordpress({ cache: true })`.
 */
export const sites: Readonly<
  Record<'php' | 'frontController' | 'wordpress' | 'drupal' | 'dokuwiki', Preset>
> = {
  /** PHP scripts and static files in one directory. */
  php: preset(
    {
      static: true,
      index: ['index.php', 'index.html'],
      deny: [],
    },
    SITE_CACHES.php,
  ),
  /**
   * Symfony, Laravel and others whose `root` is their public directory: files are served, all other paths go to
   * `/index.php`, and no other script is run.
   */
  frontController: preset(
    {
      static: true,
      index: false,
      frontController: '/index.php',
      deny: ['*.php'],
    },
    SITE_CACHES.frontController,
  ),
  /** WordPress with any permalinks. */
  wordpress: preset(
    {
      static: true,
      index: ['index.php', 'index.html'],
      frontController: '/index.php',
      deny: [
        '/wp-config.php',
        '/wp-admin/includes/',
        '/wp-content/debug.log',
        '/wp-content/uploads/*.php',
      ],
    },
    SITE_CACHES.wordpress,
  ),
  /** Drupal 8 and newer; `root` is its web directory. */
  drupal: preset(
    {
      static: true,
      index: ['index.php', 'index.html'],
      frontController: '/index.php',
      deny: [
        '*.engine',
        '*.inc',
        '*.install',
        '*.make',
        '*.module',
        '*.profile',
        '*.po',
        '*.sql',
        '*.theme',
        '*.twig',
        '*.tpl.php',
        '*.xtmpl',
        '*.yml',
        'web.config',
        'composer.json',
        'composer.lock',
        'package.json',
        'yarn.lock',
        '/vendor/',
        '/sites/*.php',
        '/sites/*/private/',
        '/modules/*.php',
        '/profiles/*.php',
        '/themes/*.php',
        '/libraries/*.php',
      ],
    },
    SITE_CACHES.drupal,
  ),
  /** DokuWiki, with `userewrite` 0 or 2. After the installation, deny `/install.php` as well. */
  dokuwiki: preset(
    {
      static: true,
      index: ['doku.php', 'index.html'],
      deny: ['/bin/', '/conf/', '/data/', '/inc/', '/vendor/', 'README', 'COPYING', 'VERSION'],
    },
    SITE_CACHES.dokuwiki,
  ),
}
