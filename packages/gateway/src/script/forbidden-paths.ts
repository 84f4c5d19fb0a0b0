// Paths that are never looked up on the disk or served as static files: dotfiles, Windows aliases, the source of scripts.

import { endsWithExtension } from './extension.ts'

/**
 * Whether a path must not be looked up on the disk: it has a dotfile segment, or Windows would open another file for it.
 */
export function isForbidden(path: string): boolean {
  return hasDotSegment(path) || (process.platform === 'win32' && isWindowsAlias(path))
}

/**
 * Whether a path has a backslash, which Windows treats as a slash. Such a path names no file; it may be PATH_INFO or go to a
 * front controller (names of PHP classes in URLs).
 */
export function hasBackslash(path: string): boolean {
  return path.includes('\\')
}

/** Whether a segment begins with a dot, except `.well-known` (RFC 8615). */
function hasDotSegment(path: string): boolean {
  for (let at = path.indexOf('/.'); at !== -1; at = path.indexOf('/.', at + 1))
    if (!/^\/\.well-known(?:\/|$)/.test(path.slice(at))) return true
  return false
}

/** Whether Windows would open a file of another name: `x.php.`, `x.php::$DATA`, `X~1`. */
function isWindowsAlias(path: string): boolean {
  return path.split('/').some((segment) => /[. ]$|:|~\d/.test(segment))
}

/** Extensions of files that contain PHP source although a server may not run them. */
const SOURCE_EXTENSIONS = ['.phtml', '.phar', '.inc']

/**
 * Whether a file must not be served as a static one because it may be the source of a script, under any spelling (x.PHP,
 * x.php~, x.php.bak, x.phps).
 */
export function isSourceLike(path: string, extensions: readonly string[]): boolean {
  const name = `/x${path.slice(path.lastIndexOf('/') + 1)}`
  // PHP is never served as text, whichever extensions the route runs.
  const scripts = ['.php', ...extensions]
  for (let end = 3; end <= name.length; end++) {
    if (scripts.some((extension) => endsWithExtension(name, end, extension))) return true
    const next = name[end]
    const whole = next === undefined || !/[A-Za-z0-9]/.test(next)
    if (whole && SOURCE_EXTENSIONS.some((extension) => endsWithExtension(name, end, extension)))
      return true
  }
  return false
}
