/** What readers look for is two clicks away from README.md, and documents say what to install. */
import { readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import t from 'tap'
import { listMarkdown, WORKSPACE } from '../helpers/documents.ts'

/** What a reader looks for: the document that has it, and what stands there. */
const LOOKED_FOR: Record<string, readonly [document: string, text: RegExp]> = {
  WordPress: ['docs/sites.md', /^## WordPress$/m],
  guard: ['docs/authorizers.md', /fastcgiAuthorizer\(/],
  'X-Sendfile': ['docs/files.md', /^## X-Sendfile$/m],
  balancer: ['docs/balancing.md', /method: '/],
  cache: ['docs/caching.md', /cache: true/],
  metrics: ['docs/status.md', /Prometheus/],
  'Primary script unknown': ['docs/troubleshooting.md', /Primary script unknown/],
  nginx: ['docs/migrate/nginx.md', /`fastcgi_pass`/],
}

const read = (path: string): string => readFileSync(join(WORKSPACE, path), 'utf8')

/** The documents that one leads to, each with the text around its link: the line, or the item of a list. */
function linksOf(document: string): Map<string, string> {
  const found = new Map<string, string>()
  for (const part of read(document).split(/\n(?=[-|]|\n)/))
    for (const [, target = ''] of part.matchAll(/\]\(([^)#:\s]+\.md)(?:#[^)]*)?\)/g)) {
      const path = normalize(join(dirname(document), target))
      found.set(path, `${found.get(path) ?? ''}\n${part}`)
    }
  return found
}

t.test('two clicks lead to it, and what is clicked says so', async (t) => {
  for (const [what, [document, text]] of Object.entries(LOOKED_FOR)) {
    const names = (words: string | undefined) => words?.toLowerCase().includes(what.toLowerCase())
    const first = linksOf('README.md')
    const ways = [...first.keys()].filter((path) => linksOf(path).has(document))
    const isOne = names(first.get(document))
    const isTwo = ways.some((path) => names(linksOf(path).get(document)))
    t.ok(isOne || isTwo, `${what}: README.md -> ${document}`)
    t.match(read(document), text, what)
  }
})

t.test('the map of the documents has all of them', async (t) => {
  const map = linksOf('docs/README.md')
  const left = listMarkdown('docs').filter(
    (path) => path !== 'docs/README.md' && !map.has(path) && !map.has(`${dirname(path)}/README.md`),
  )
  t.same(left, [])
})

t.test('a document that imports our packages says how they are installed', async (t) => {
  const documents = ['README.md', ...listMarkdown('docs'), ...listMarkdown('packages')]
  for (const document of documents.filter((path) => !path.endsWith('CHANGELOG.md'))) {
    const text = read(document)
    const imported = [...text.matchAll(/ from '(@fastcgi\/[\w-]+)'/g)].map(([, name = '']) => name)
    // What the pages of a folder need may stand in its README.
    const folder = document.split('/').length > 2 ? read(join(dirname(document), 'README.md')) : ''
    const installed = [...(text + folder).matchAll(/npm i(?:nstall)? .*|npx .*/g)].join('\n')
    t.same(
      [...new Set(imported)].filter((name) => !installed.includes(name)),
      [],
      document,
    )
  }
})
