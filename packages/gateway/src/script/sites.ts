/**
 * Options that well-known kinds of PHP sites need, to be completed with your own:
 * `createGateway({ ...sites.wordpress, upstream, root })`. What you write behind them wins; more paths to deny are added
 * by `deny: [...sites.wordpress.deny, '/private/']`.
 */
export const sites = {
  /** Scripts and files as they lie in the directory. */
  php: {
    static: true,
    index: ['index.php', 'index.html'],
    deny: [],
  },
  /**
   * Symfony, Laravel and others whose `root` is their public directory: files are served, all else is for `/index.php`,
   * and no other script is ever run.
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
  /** DokuWiki, with `userewrite` 0 or 2; once it is installed, deny `/install.php` as well. */
  dokuwiki: {
    static: true,
    index: ['doku.php', 'index.html'],
    deny: ['/bin/', '/conf/', '/data/', '/inc/', '/vendor/', 'README', 'COPYING', 'VERSION'],
  },
} as const
