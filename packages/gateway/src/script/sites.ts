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
  /** DokuWiki, with `userewrite` 0 or 2. After the installation, deny `/install.php` as well. */
  dokuwiki: {
    static: true,
    index: ['doku.php', 'index.html'],
    deny: ['/bin/', '/conf/', '/data/', '/inc/', '/vendor/', 'README', 'COPYING', 'VERSION'],
  },
} as const
