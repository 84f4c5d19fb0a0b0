/** The application side behind Apache: mod_proxy_fcgi in front of an application, mod_fcgid with one that it starts. */
import t from 'tap'
import { compare } from '../helpers/same-answers.ts'
import { APPS } from '../helpers/sample-apps.ts'
import { needsWebServer } from '../helpers/web-servers.ts'

for (const app of APPS)
  for (const name of ['apache', 'fcgid'] as const)
    t.test(`${app} behind ${name}`, needsWebServer(name), (t) => compare(t, name, app))
