/** The tables of docs/migrate: every directive of the originals is there, and every option that they name exists. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { WORKSPACE } from '../helpers/documents.ts'
import {
  apacheDirectives,
  apacheParameters,
  caddyDirectives,
  lighttpdDirectives,
  MOD_FASTCGI,
  nginxDirectives,
} from './directives.ts'
import { cellsOf, codeIn } from './document.ts'
import { optionProblem } from './options.ts'
import { needsModule, needsOriginal } from './originals.ts'

/** What each document has to list. */
const DOCUMENTS: Readonly<
  Record<string, { needs: { skip: string | false }; directives: (t: Test) => readonly string[] }>
> = {
  nginx: { needs: needsOriginal('nginx'), directives: nginxDirectives },
  apache: {
    needs: needsOriginal('apache2'),
    directives: (t) => [
      ...apacheDirectives(t, ['proxy', 'proxy_fcgi', 'proxy_balancer', 'proxy_hcheck']),
      ...apacheParameters(),
    ],
  },
  mod_fcgid: {
    needs: needsModule('fcgid'),
    directives: (t) => apacheDirectives(t, ['fcgid', 'authnz_fcgi']),
  },
  lighttpd: { needs: needsOriginal('lighttpd'), directives: lighttpdDirectives },
  mod_fastcgi: { needs: { skip: false }, directives: () => MOD_FASTCGI },
  caddy: { needs: needsOriginal('caddy'), directives: caddyDirectives },
}

interface Row {
  directives: string[]
  here: string
  of: string
  remark: string
}

for (const [name, { needs, directives }] of Object.entries(DOCUMENTS)) {
  const rows = rowsOf(readFileSync(join(WORKSPACE, `docs/migrate/${name}.md`), 'utf8'))

  t.test(`${name}: every directive has a row`, needs, async (t) => {
    const wanted = directives(t)
    t.ok(wanted.length > 20, `${wanted.length} directives`)
    const listed = rows.flatMap(({ directives }) => directives)
    t.strictSame(
      wanted.filter((directive) => !listed.includes(directive)),
      [],
    )
  })

  t.test(`${name}: every option exists, and what there is none for has a reason`, async (t) => {
    for (const problem of rows.flatMap(problemsOf)) t.fail(problem)
    t.ok(rows.length > 10)
  })
}

t.test('an option that does not exist is found', async (t) => {
  t.equal(optionProblem('gateway', 'timeouts.head'), undefined)
  for (const [scope, path] of [
    ['gateway', 'noSuchOption'],
    ['gateway', 'timeouts.noSuchTimeout'],
    ['gateway', 'cache.noSuchOption'],
    ['balancer', 'healthCheck.noSuchOption'],
    ['member', 'noSuchOption'],
    ['process manager', 'noSuchOption'],
    ['nobody', 'root'],
  ] as const)
    t.type(optionProblem(scope, path), 'string', `${scope} ${path}`)
})

/** Rows of the tables whose second column is called `here`. */
function rowsOf(text: string): Row[] {
  const [, part = ''] = text.split(/^## Every directive$/m)
  const lines = (part.split(/^## /m)[0] ?? '').split('\n').filter((line) => line.startsWith('|'))
  return lines
    .map(cellsOf)
    .filter(([, second = '']) => second !== 'here' && !/^-+$/.test(second))
    .map(([first, here = '', of = '', remark = '']) => ({
      directives: codeIn(first),
      here,
      of,
      remark,
    }))
}

function problemsOf({ directives, here, of, remark }: Row): string[] {
  const what = directives.join(', ')
  if (here === 'not needed')
    return /^because /.test(remark) ? [] : [`${what}: it is not needed because of what?`]
  if (here === 'not here') return remark === '' ? [`${what}: what to do instead?`] : []
  const options = codeIn(here)
  if (options.length === 0 || of === '') return [`${what}: which option of whom?`]
  return options.flatMap((option) => optionProblem(of, option) ?? [])
}
