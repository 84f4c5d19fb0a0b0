/** docs/differences.md explains every kind of difference to nginx that tests allow, and no other. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { WORKSPACE } from '../helpers/documents.ts'
import { REQUEST_KINDS } from '../helpers/request-differences.ts'
import { FIELD_KINDS, RESPONSE_KINDS } from '../helpers/response-differences.ts'

const text = readFileSync(join(WORKSPACE, 'docs/differences.md'), 'utf8')
const [, requests = '', responses = ''] = text.split(/^## (?:Requests|Responses)$/m)
const kindsOf = (part: string): string[] =>
  [...part.matchAll(/^\| `([^`]+)`/gm)].map(([, name]) => name ?? '')

t.strictSame(kindsOf(requests), Object.keys(REQUEST_KINDS))
t.ok(Object.keys(REQUEST_KINDS).length <= 15)
t.strictSame(kindsOf(responses), [...Object.keys(RESPONSE_KINDS), ...Object.keys(FIELD_KINDS)])
