// Splits a path into SCRIPT_NAME and PATH_INFO.

import { hasExtensionAt } from './extension.ts'

/**
 * How a path is split into SCRIPT_NAME and PATH_INFO (Apache `proxy-fcgi-pathinfo`, nginx `fastcgi_split_path_info`):
 * - `script`: after the first segment that is a script;
 * - `first-dot`, `last-dot`: at the first slash after the first or last dot;
 * - `full`: after the longest leading part of the path that is a file;
 * - `all`: SCRIPT_NAME is the mount point, PATH_INFO is everything after it.
 */
export type PathInfoMode = 'script' | 'first-dot' | 'last-dot' | 'full' | 'all'

/** A path split into the script and its PATH_INFO. */
export interface ScriptPath {
  readonly script: string
  readonly pathInfo: string
}

/**
 * The possible ways to split a path, the shortest script first. The caller chooses the first one whose script exists on the
 * disk. They are generated one by one, because a client may send a path of thousands of segments.
 * @param extensions lower-case, each with its dot; empty for any.
 */
export function* splitPathInfo(
  path: string,
  mode: Exclude<PathInfoMode, 'all'>,
  extensions: readonly string[],
): Generator<ScriptPath> {
  for (const end of SCRIPT_ENDS[mode](path))
    if (extensions.length === 0 || hasExtensionAt(path, end, extensions))
      yield { script: path.slice(0, end), pathInfo: path.slice(end) }
}

/** The offsets at which the script may end, in ascending order. */
const SCRIPT_ENDS: Record<Exclude<PathInfoMode, 'all'>, (path: string) => Iterable<number>> = {
  // Several candidates, because a directory may be called x.php too.
  script: segmentEnds,
  'first-dot': (path) => [slashAfter(path, path.indexOf('.'))],
  'last-dot': (path) => [slashAfter(path, path.lastIndexOf('.'))],
  // A file has nothing below it, so the first leading part that is a file is also the longest.
  full: segmentEnds,
}

function slashAfter(path: string, dot: number): number {
  const slash = dot === -1 ? -1 : path.indexOf('/', dot)
  return slash === -1 ? path.length : slash
}

function* segmentEnds(path: string): Generator<number> {
  for (let slash = path.indexOf('/', 1); slash !== -1; slash = path.indexOf('/', slash + 1))
    yield slash
  if (!path.endsWith('/')) yield path.length
}
