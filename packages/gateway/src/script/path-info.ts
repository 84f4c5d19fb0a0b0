// Splits a path into SCRIPT_NAME and PATH_INFO.

import { hasExtension } from './extension.ts'

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
 * The possible ways to split a path, best first. The caller chooses the first one whose script exists on the disk.
 * @param extensions lower-case, each with its dot; empty for any.
 */
export function splitPathInfo(
  path: string,
  mode: Exclude<PathInfoMode, 'all'>,
  extensions: readonly string[],
): ScriptPath[] {
  const splits = SPLITTERS[mode](path, extensions)
  return extensions.length === 0
    ? splits
    : splits.filter(({ script }) => hasExtension(script, extensions))
}

const SPLITTERS: Record<
  Exclude<PathInfoMode, 'all'>,
  (path: string, extensions: readonly string[]) => ScriptPath[]
> = {
  // Several candidates, because a directory may be called x.php too.
  script: (path, extensions) =>
    segmentEnds(path)
      .filter((end) => extensions.length === 0 || hasExtension(path.slice(0, end), extensions))
      .map((end) => splitAt(path, end)),
  'first-dot': (path) => [splitAt(path, slashAfter(path, path.indexOf('.')))],
  'last-dot': (path) => [splitAt(path, slashAfter(path, path.lastIndexOf('.')))],
  full: (path) =>
    segmentEnds(path)
      .reverse()
      .map((end) => splitAt(path, end)),
}

function splitAt(path: string, end: number): ScriptPath {
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
