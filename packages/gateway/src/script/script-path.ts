/** How a path is cut into SCRIPT_NAME and PATH_INFO; Apache's proxy-fcgi-pathinfo, and what nginx users write. */
export type PathInfoMode = 'script' | 'first-dot' | 'last-dot' | 'full' | 'all'

/** A path, cut. */
export interface ScriptPath {
  readonly script: string
  readonly pathInfo: string
}

/**
 * Ways to cut a path, best first. The choice between them takes a look at the disk.
 * @param extensions lower-case, each with its dot.
 */
export function cutPath(
  path: string,
  mode: Exclude<PathInfoMode, 'all'>,
  extensions: readonly string[],
): ScriptPath[] {
  const cuts = CUTS[mode](path, extensions)
  return extensions.length === 0
    ? cuts
    : cuts.filter(({ script }) => hasExtension(script, extensions))
}

const CUTS: Record<
  Exclude<PathInfoMode, 'all'>,
  (path: string, extensions: readonly string[]) => ScriptPath[]
> = {
  // The first segment that ends in an extension comes first; a directory may be called x.php.
  script: (path, extensions) =>
    segmentEnds(path)
      .filter((end) => extensions.length === 0 || hasExtension(path.slice(0, end), extensions))
      .map((end) => cutAt(path, end)),
  'first-dot': (path) => [cutAt(path, slashAfter(path, path.indexOf('.')))],
  'last-dot': (path) => [cutAt(path, slashAfter(path, path.lastIndexOf('.')))],
  full: (path) =>
    segmentEnds(path)
      .reverse()
      .map((end) => cutAt(path, end)),
}

function cutAt(path: string, end: number): ScriptPath {
  return { script: path.slice(0, end), pathInfo: path.slice(end) }
}

function slashAfter(path: string, dot: number): number {
  const slash = dot === -1 ? -1 : path.indexOf('/', dot)
  return slash === -1 ? path.length : slash
}

function segmentEnds(path: string): number[] {
  const ends: number[] = []
  for (let slash = path.indexOf('/', 1); slash !== -1; slash = path.indexOf('/', slash + 1))
    ends.push(slash)
  if (!path.endsWith('/')) ends.push(path.length)
  return ends
}

/**
 * Whether a path ends in one of the extensions, ASCII letters compared without case, byte by byte. Neither
 * toLowerCase nor a regular expression: their Unicode folding has let other letters pass for "php"
 * (CVE-2026-27590, GHSA-m675-2p33-xv9g).
 */
export function hasExtension(path: string, extensions: readonly string[]): boolean {
  return extensions.some((extension) => endsWithASCII(path, path.length, extension))
}

function endsWithASCII(text: string, end: number, wanted: string): boolean {
  const start = end - wanted.length
  // A bare ".php" is a dotfile, not a script.
  if (start < 1 || text[start - 1] === '/') return false
  for (let at = 0; at < wanted.length; at++) {
    const code = text.charCodeAt(start + at)
    const lower = code >= 0x41 && code <= 0x5a ? code + 32 : code
    if (lower !== wanted.charCodeAt(at)) return false
  }
  return true
}

/** Names that are, or may hold, the source of a script, whatever they are called around it. */
const SOURCE_LIKE = ['.phtml', '.phar', '.inc']

/**
 * Whether a file must not be served as a static one: the source of a script under any spelling (x.PHP, x.php~,
 * x.php.bak, x.phps).
 */
export function isSourceLike(path: string, extensions: readonly string[]): boolean {
  const name = `/x${path.slice(path.lastIndexOf('/') + 1)}`
  // PHP is never text, whatever the route runs.
  const scripts = ['.php', ...extensions]
  for (let end = 3; end <= name.length; end++) {
    if (scripts.some((extension) => endsWithASCII(name, end, extension))) return true
    const next = name[end]
    const whole = next === undefined || !/[A-Za-z0-9]/.test(next)
    if (whole && SOURCE_LIKE.some((extension) => endsWithASCII(name, end, extension))) return true
  }
  return false
}

/** Whether a segment begins with a dot, `.well-known` (RFC 8615) apart. */
function hasDotSegment(path: string): boolean {
  for (let at = path.indexOf('/.'); at !== -1; at = path.indexOf('/.', at + 1))
    if (!/^\/\.well-known(?:\/|$)/.test(path.slice(at))) return true
  return false
}

/** Whether a path is none to be looked for on the disk: dotfiles, and what Windows would take for another name. */
export function isForbidden(path: string): boolean {
  return hasDotSegment(path) || (process.platform === 'win32' && isWindowsAlias(path))
}

/** Whether Windows would open another file than the one that is named: `x.php.`, `x.php::$DATA`, `X~1`. */
function isWindowsAlias(path: string): boolean {
  return path.split('/').some((segment) => /[. ]$|:|~\d/.test(segment))
}
