/** The application side behind nginx. */
import t from 'tap'
import { compare } from '../helpers/same-answers.ts'
import { APPS } from '../helpers/sample-apps.ts'
import { needsWebServer } from '../helpers/web-servers.ts'

for (const app of APPS)
  t.test(`${app} behind nginx`, needsWebServer('nginx'), (t) => compare(t, 'nginx', app))
