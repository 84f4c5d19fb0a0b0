/**
 * Options for well-known kinds of PHP sites, to be spread before your own, which override them:
 * `createGateway({ ...sites.wordpress, upstream, root })`. To deny further paths:
 * `deny: [...sites.wordpress.deny, '/private/']`.
 */
export const sites = {
  /** PHP scripts and static files in one directory. */
  php: {
    static: true,
    index: ['index.php', 'index.html'],
    deny: [],
  },
  /**
   * Symfony, Laravel and others whose `root` is their public directory: files are served, all other paths go to
   * `/index.php`, and no other script is run.
   */
  frontController: {
    static: true,
    index: false,
    frontController: '/index.php',
    deny: ['*.php'],
  },
  /** WordPress with any permalinks. */
  wordpress: {
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
  /** Drupal 8 and newer; `root` is its web directory. */
  drupal: {
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
  /** DokuWiki, with `userewrite` 0 or 2. After the installation, deny `/install.php` as well. */
  dokuwiki: {
    static: true,
    index: ['doku.php', 'index.html'],
    deny: ['/bin/', '/conf/', '/data/', '/inc/', '/vendor/', 'README', 'COPYING', 'VERSION'],
  },
} as const
