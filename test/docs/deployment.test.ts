/** examples/docker and examples/systemd name options that there are, and their files are well-formed. */
import { readFileSync } from 'node:fs'
import t from 'tap'
import { parse } from 'yaml'
import { CLI } from '../helpers/serve-command.ts'

const { serveArguments } = await import(new URL('settings/arguments.js', CLI).href)
const { environmentOptions } = await import(new URL('settings/environment.js', CLI).href)

const read = (path: string): string => readFileSync(`examples/${path}`, 'utf8')

/** The properties of a service that the examples use (compose-spec). */
const PROPERTIES =
  'build command depends_on environment healthcheck image ports stop_grace_period volumes'.split(
    ' ',
  )

interface Service {
  command?: string[]
  environment?: Record<string, string>
  depends_on?: string[]
}

for (const file of ['docker/compose.yaml', 'docker/compose.fpm.yaml'])
  t.test(file, async (t) => {
    const { services, ...others } = parse(read(file), { strict: true }) as {
      services: Record<string, Service>
    }
    t.strictSame(others, {})
    for (const [name, service] of Object.entries(services)) {
      const unknown = Object.keys(service).filter((property) => !PROPERTIES.includes(property))
      t.strictSame(unknown, [], name)
      t.ok((service.depends_on ?? []).every((other) => other in services))
      const { environment = {}, command } = service
      t.ok(Object.values(environment).every((value) => typeof value === 'string'))
      t.strictSame(environmentOptions(environment).warnings, [])
      if (command !== undefined) serveArguments(command.slice(command.indexOf('serve') + 1))
    }
  })

t.test('docker/Dockerfile', async (t) => {
  const dockerfile = read('docker/Dockerfile').replaceAll('\\\n', ' ')
  const instructions = dockerfile.split('\n').filter((line) => /^[A-Z]/.test(line))
  t.match(instructions[0], /^FROM node:/)
  const [, variables = ''] = /^ENV (.*)$/m.exec(dockerfile) ?? []
  const env = Object.fromEntries(variables.split(' ').map((pair) => pair.split('=')))
  t.strictSame(environmentOptions(env), {
    values: { listen: '0.0.0.0:8080', accessLog: 'json', workers: 'auto' },
    warnings: [],
  })
  for (const [, json = ''] of dockerfile.matchAll(/^(?:CMD|HEALTHCHECK CMD) (.*)$/gm))
    t.ok(JSON.parse(json).length > 1)
})

t.test('systemd/site.service', async (t) => {
  const [, command = ''] = /^ExecStart=\S+ serve (.*)$/m.exec(read('systemd/site.service')) ?? []
  t.match(serveArguments(command.split(' ')), {
    directory: '/var/www/site',
    values: { workers: 'auto', grace: 30_000, accessLog: 'json' },
  })
})
