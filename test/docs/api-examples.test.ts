/** Every public function has an example in its TSDoc, and every example runs. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { runExample, WORKSPACE } from '../helpers/documents.ts'

/** The examples of a package, by the name of what they are for. */
function examplesOf(name: string): Map<string, string> {
  const directory = join(WORKSPACE, 'packages', name, 'src')
  const files = readdirSync(directory, { recursive: true, encoding: 'utf8' })
  const found = new Map<string, string>()
  for (const file of files.filter((path) => path.endsWith('.ts'))) {
    const source = readFileSync(join(directory, file), 'utf8')
    const documented =
      /\/\*\*((?:(?!\*\/)[\s\S])*@example(?:(?!\*\/)[\s\S])*)\*\/\n(?:export )?(?:async )?(?:function|class|const|interface) (\w+)/g
    for (const [, comment = '', what = ''] of source.matchAll(documented))
      found.set(what, comment.replace(/^ \* ?/gm, '').replace(/^[\s\S]*?@example/, ''))
  }
  return found
}

/** The functions and plugins that a package exports, by its report in api/. */
function functionsOf(name: string): string[] {
  const report = readFileSync(join(WORKSPACE, `api/${name}.api.md`), 'utf8')
  const names = [
    ...report.matchAll(/^(?:export )?(?:function (\w+)|const (fastcgi\w+): FastifyPlugin)/gm),
  ]
  return names.map(([, plain, plugin]) => plain ?? plugin ?? '')
}

for (const name of readdirSync(join(WORKSPACE, 'packages')))
  t.test(`@fastcgi/${name}`, async (t) => {
    const examples = examplesOf(name)
    const without = functionsOf(name).filter((each) => !examples.has(each))
    t.same(without, [], 'functions without an example')
    for (const [what, markdown] of examples) await runExample(t, what, markdown)
  })
