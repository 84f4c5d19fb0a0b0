// How large the packages may become, and how many packages npm installs for one of them, itself included. A limit is raised
// by hand, so that growth is seen in review.
import { readFileSync, realpathSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** By name: kilobytes of the tarball, and packages. */
const LIMITS = {
  application: [90, 2],
  cache: [95, 2],
  cli: [150, 135],
  client: [310, 2],
  express: [35, 7],
  fastify: [50, 8],
  gateway: [480, 6],
  opentelemetry: [40, 3],
  'php-wasm': [75, 3],
  'process-manager': [155, 3],
  protocol: [40, 1],
}

/** What a package has too much of, in words. */
export function exceededLimits(name, tarball) {
  const [kilobytes, packages] = LIMITS[name] ?? [0, 0]
  const size = Math.ceil(statSync(tarball).size / 1000)
  const count = countInstalled(`packages/${name}`)
  return [
    size > kilobytes && `it has ${size} kB; scripts/package-limits.mjs allows ${kilobytes}`,
    count > packages &&
      `npm installs ${count} packages for it; scripts/package-limits.mjs allows ${packages}`,
  ].filter(Boolean)
}

/** Follows `dependencies` through node_modules as Node does. */
function countInstalled(directory, seen = new Set()) {
  const path = realpathSync(directory)
  if (seen.has(path)) return 0
  seen.add(path)
  const { dependencies = {} } = JSON.parse(readFileSync(join(path, 'package.json'), 'utf8'))
  const counts = Object.keys(dependencies).map((name) => countInstalled(find(name, path), seen))
  return counts.reduce((sum, count) => sum + count, 1)
}

function find(name, from) {
  const path = join(from, 'node_modules', name)
  if (statSync(path, { throwIfNoEntry: false }) !== undefined) return path
  if (from === dirname(from)) throw new Error(`${name} is not installed`)
  return find(name, dirname(from))
}
