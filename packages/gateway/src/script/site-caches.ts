// The option `cache` of well-known kinds of sites: which of their requests are never answered from the cache.

/** A request of node:http or of a framework. */
export interface SiteRequest {
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly url?: string | undefined
  readonly originalUrl?: string | undefined
}

/** What is cached of a site, beside the options that its owner gives. */
export interface SiteCache {
  readonly bypass: (request: SiteRequest) => boolean
  readonly valid?: Readonly<Record<number, number>>
}

/** The option `cache` of a preset. */
export interface Cached<Cache> {
  readonly cache: false | (SiteCache & Cache)
}

/** Adds the options of a site's owner to those of its kind. */
export function cachedSite(site: SiteCache, given: boolean | object): Cached<object>['cache'] {
  if (given === false) return false
  if (given === true) return site
  const { bypass } = given as Partial<SiteCache>
  if (bypass === undefined) return { ...site, ...given }
  const either = (request: SiteRequest): boolean => site.bypass(request) || bypass(request)
  return { ...site, ...given, bypass: either }
}

/** Bypasses the cache for requests with one of the cookies, or with such a URL. */
function siteCache(cookies: RegExp, urls: RegExp, more: Omit<SiteCache, 'bypass'> = {}): SiteCache {
  const bypass = ({ headers, originalUrl, url }: SiteRequest): boolean => {
    const { cookie } = headers
    return (
      (cookie !== undefined && cookies.test(String(cookie))) || urls.test(originalUrl ?? url ?? '')
    )
  }
  return { bypass, ...more }
}

/** Milliseconds for pages of a site that says nothing of their freshness. */
const PAGES = { valid: { 200: 60_000, 301: 60_000, 404: 10_000 } }
const SESSION =
  /(?:^|;\s*)(?:PHPSESSID|[^=;]*(?:session|sess|remember|auth|token|logged_in)[^=;]*)=/i

/** By the names of the presets. */
export const SITE_CACHES: Readonly<
  Record<'php' | 'frontController' | 'wordpress' | 'drupal' | 'dokuwiki', SiteCache>
> = {
  /** Only what the scripts allow; sessions of PHP go past the cache. */
  php: siteCache(SESSION, /$^/),
  /** Symfony, Laravel and others say themselves what may be stored; those with a session go past the cache. */
  frontController: siteCache(SESSION, /$^/),
  /** As in the recipes of nginx: logged-in users, commenters, carts, the administration, previews, feeds. */
  wordpress: siteCache(
    /(?:^|;\s*)(?:wordpress_(?!test_cookie)[^=]*|wp-postpass_[^=]*|wp-settings-[^=]*|comment_author_[^=]*|woocommerce_(?:items_in_cart|cart_hash)|wp_woocommerce_session_[^=]*|edd_items_in_cart|PHPSESSID)=/,
    /\/wp-(?:admin|login|cron|json|comments-post|signup|activate|trackback)|\/xmlrpc\.php|\/feed\/|sitemap[^/]*\.xml|\/(?:cart|checkout|my-account|addons)(?:[/?]|$)|[?&](?:preview|s|add-to-cart|wc-ajax|p|page_id|customize_changeset_uuid)=/,
    PAGES,
  ),
  /** What Drupal allows (Configuration, Performance: maximum age); its sessions and administration go past the cache. */
  drupal: siteCache(
    /(?:^|;\s*)(?:S?SESS[0-9a-f]+|NO_CACHE)=/,
    /^\/(?:index\.php\/)?(?:admin|user|batch)(?:[/?]|$)|\/(?:install|update|cron|authorize)\.php/,
  ),
  /**
   * DokuWiki forbids storing its pages, which have tokens of a session in them; what it allows is stored: style sheets,
   * scripts, media. Whoever has logged in goes past the cache.
   */
  dokuwiki: siteCache(/(?:^|;\s*)DW[0-9a-f]{32}=/, /[?&]do=|\/install\.php/),
}
