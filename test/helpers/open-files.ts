import { readdirSync, readlinkSync } from 'node:fs'

/** Number of regular files below a directory that this process has open; 0 on systems without /proc. @param below default: temporary files of bodies */
export function openFiles(below?: string): number {
  const wanted = below === undefined ? /\/fastcgi-[0-9a-f-]+ \(deleted\)$/ : undefined
  let open: string[] = []
  try {
    open = readdirSync('/proc/self/fd')
  } catch {}
  return open.filter((fd) => {
    try {
      const path = readlinkSync(`/proc/self/fd/${fd}`)
      return wanted?.test(path) ?? path.startsWith(`${below}/`)
    } catch {
      return false
    }
  }).length
}
