/** Nothing outlives its manager, however that ends; and where it can be. */
import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import t from 'tap'
import { APPLICATIONS, application, ask, managed, NEEDS_LIBFCGI } from '../helpers/applications.ts'
import { familyOf, forkManager, isRunning } from '../helpers/manager-process.ts'
import { scaled } from '../helpers/time-limit.ts'
import { until, within } from '../helpers/wait.ts'

const pathOf = (address: string): string => address.slice('unix:'.length)

for (const { name, needs, options, params } of APPLICATIONS)
  t.test(`SIGKILL of the manager: ${name}`, needs, async (t) => {
    const children = name === 'php-cgi' ? { env: { PHP_FCGI_CHILDREN: 2 } } : {}
    const { child, reports, exited } = await forkManager(t, {
      options: { ...options(), ...children, processes: 2, initStartDelay: 0 },
      params,
    })
    const addresses = reports[0]?.addresses ?? []
    t.equal(addresses.length, 2)
    // The manager, its reaper, two processes, and the children of each.
    const members = name === 'php-cgi' ? 8 : 4
    await until('all of them', () => familyOf(child.pid as number).length === members)
    const family = familyOf(child.pid as number)
    child.kill('SIGKILL')
    const killed = performance.now()
    await exited
    await until('the end of all', () => !family.some(isRunning))
    await until('the end of the sockets', () => !addresses.some((path) => existsSync(pathOf(path))))
    await until(
      'the end of their directory',
      () => !existsSync(dirname(pathOf(addresses[0] ?? ''))),
    )
    t.ok(performance.now() - killed < scaled(2000), 'within two seconds')
  })

t.test('SIGKILL of the manager: a program that heeds no signal, and its child', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'fcgi-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  const program = join(directory, 'deaf')
  writeFileSync(program, '#!/bin/sh\ntrap "" TERM\nsleep 60 &\nwait\nsleep 60\n')
  chmodSync(program, 0o755)
  const { child, exited } = await forkManager(t, { options: { command: [program] } })
  // The manager, its reaper, the program, its child.
  await until('all of them', () => familyOf(child.pid as number).length === 4)
  const family = familyOf(child.pid as number)
  child.kill('SIGKILL')
  const killed = performance.now()
  await exited
  await until('the end of all', () => !family.some(isRunning))
  t.ok(performance.now() - killed < scaled(2000), 'within two seconds')
})

t.test('SIGTERM, without anybody who listens to it', NEEDS_LIBFCGI, async (t) => {
  const { child, exited } = await forkManager(t, {
    options: application('libfcgi (C)').options(),
    params: {},
  })
  const family = familyOf(child.pid as number)
  child.kill('SIGTERM')
  await within('its end', exited)
  await until('the end of all', () => !family.some(isRunning))
})

for (const where of ['worker thread', 'cluster'] as const)
  t.test(`in a ${where}`, NEEDS_LIBFCGI, async (t) => {
    const { child, reports, exited } = await forkManager(t, {
      options: application('libfcgi (C)').options(),
      params: {},
      where,
    })
    const addresses = reports.flatMap((report) => report.addresses)
    t.equal(new Set(addresses).size, reports.length, 'each manager has a socket of its own')
    const family = familyOf(child.pid as number)
    t.ok(reports.flatMap(({ pids }) => pids).every((pid) => family.includes(pid)))
    child.kill('SIGKILL')
    await exited
    await until('the end of all', () => !family.some(isRunning))
  })

t.test('never two on one socket', NEEDS_LIBFCGI, async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'fcgi-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  const options = {
    ...application('libfcgi (C)').options(),
    ipcDir: directory,
    restartDelay: 60_000,
  }
  const first = managed(t, options)
  const pid = await ask(first.manager, {})
  const second = managed(t, options)
  await t.rejects(ask(second.manager, {}), {
    code: 'FCGI_OVERLOADED',
    message: /somebody else does/,
  })
  t.equal(await ask(first.manager, {}), pid, 'the first one does not notice')
  await second.manager.close()
  t.equal(await ask(first.manager, {}), pid, 'not even the end of the other')

  t.test('also over TCP', async (t) => {
    const server = createServer().listen(0, '127.0.0.1')
    t.teardown(() => server.close())
    await until('a port', () => server.listening)
    const { port } = server.address() as { port: number }
    const { manager } = managed(t, {
      ...application('libfcgi (C)').options(),
      listen: `127.0.0.1:${port}`,
    })
    await t.rejects(ask(manager, {}), { message: /somebody else listens there already/ })
  })
})

t.test('a socket that a dead one has left is replaced', NEEDS_LIBFCGI, async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'fcgi-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  const path = join(directory, 'app')
  const { status } = spawnSync(process.execPath, [
    '-e',
    `require('net').createServer().listen('${path}-0', () => process.kill(process.pid, 'SIGKILL'))`,
  ])
  t.equal(status, null)
  t.ok(existsSync(`${path}-0`))
  const { manager } = managed(t, {
    ...application('libfcgi (C)').options(),
    listen: `unix:${path}`,
  })
  await ask(manager, {})
})

t.test('over TCP', NEEDS_LIBFCGI, async (t) => {
  const server = createServer().listen(0, '127.0.0.1')
  await until('a port', () => server.listening)
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  const options = application('libfcgi (C)').options()
  const { manager } = managed(t, { ...options, listen: `localhost:${port}` })
  await ask(manager, {})
  t.equal(manager.processes[0]?.address, `127.0.0.1:${port}`)
  const environment = readFileSync(`/proc/${manager.processes[0]?.pid}/environ`, 'latin1')
  t.match(environment, 'FCGI_WEB_SERVER_ADDRS=127.0.0.1', 'nobody else is to be served')
})
