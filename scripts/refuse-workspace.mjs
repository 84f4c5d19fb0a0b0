// prepublishOnly of every package: refuses to publish a package.json that asks for `workspace:` versions, which nobody could
// install. pnpm puts versions in their place when it packs; npm does not.
import { readFileSync } from 'node:fs'

const { name, ...manifest } = JSON.parse(readFileSync('package.json', 'utf8'))
const kinds = ['dependencies', 'peerDependencies', 'optionalDependencies']
const left = kinds.flatMap((kind) =>
  Object.entries(manifest[kind] ?? {})
    .filter(([, range]) => range.startsWith('workspace:'))
    .map(([dependency]) => dependency),
)
if (left.length > 0 && !process.env.npm_config_user_agent?.startsWith('pnpm/')) {
  console.error(
    `${name} is not published: its package.json has workspace: for the versions of ${left.join(', ')}, and npm would publish that. Use \`npm run release\`, which has pnpm put versions in its place.`,
  )
  process.exitCode = 1
}
