// Which routes of an app call a hook. Fastify has no list of its routes; printRoutes() draws them as a tree, with their hooks.
import type { FastifyInstance } from 'fastify'

/** A node of the tree: its depth, four characters each, and its part of the URL with methods and constraints. */
const NODE = /^((?:[│ ] {3})*)[├└]── (.*)$/
const METHODS = / \([A-Z-]+(?:, [A-Z-]+)*\)(?: \{.*\})?$/
const HOOKS = /• \(\w+\) (\[.*\])$/

/**
 * The URLs of the routes that call a hook, of whichever scope they are, and whether the hook is one of the route or of its
 * scope. To be called when the app is ready: only then routes have the hooks of their scopes.
 * @param name of the hook function, which no other function has.
 */
export function routesWithHook(app: FastifyInstance, name: string): ReadonlySet<string> {
  const found = new Set<string>()
  const parts: string[] = []
  for (const line of app.printRoutes({ includeHooks: true }).split('\n')) {
    const [, indent, node] = NODE.exec(line) ?? []
    const [, hooks] = HOOKS.exec(line) ?? []
    if (indent !== undefined && node !== undefined) {
      parts.length = indent.length / 4
      parts.push(node === '(empty root node)' ? '' : node.replace(METHODS, ''))
    } else if (hooks?.includes(`"${name}()"`)) found.add(parts.join(''))
  }
  return found
}
