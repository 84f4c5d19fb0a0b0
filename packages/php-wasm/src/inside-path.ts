// Paths of this computer as PHP sees them.

/**
 * The path of a file as PHP sees it, whose system is a Unix: `C:\site\index.php` of Windows is `/C:/site/index.php`. On
 * other systems it is the same.
 */
export function insidePath(path: string, platform: NodeJS.Platform = process.platform): string {
  if (platform !== 'win32') return path
  const slashes = path.replaceAll('\\', '/')
  return /^[A-Za-z]:/.test(slashes) ? `/${slashes}` : slashes
}
