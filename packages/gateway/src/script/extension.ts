/**
 * Whether a path ends in one of the extensions (lower case, with their dot). ASCII letters are compared without case, byte
 * by byte: toLowerCase() and regular expressions apply Unicode case folding, by which other letters have passed for "php"
 * (CVE-2026-27590, GHSA-m675-2p33-xv9g).
 */
export function hasExtension(path: string, extensions: readonly string[]): boolean {
  return hasExtensionAt(path, path.length, extensions)
}

/** Whether the first `end` characters of a path end in one of the extensions. */
export function hasExtensionAt(path: string, end: number, extensions: readonly string[]): boolean {
  return extensions.some((extension) => endsWithExtension(path, end, extension))
}

/** Whether the first `end` characters of a text end in an extension, ASCII letters compared without case. */
export function endsWithExtension(text: string, end: number, extension: string): boolean {
  const start = end - extension.length
  // A bare ".php" is a dotfile, not a script.
  if (start < 1 || text[start - 1] === '/') return false
  for (let at = 0; at < extension.length; at++) {
    const code = text.charCodeAt(start + at)
    const lower = code >= 0x41 && code <= 0x5a ? code + 32 : code
    if (lower !== extension.charCodeAt(at)) return false
  }
  return true
}
