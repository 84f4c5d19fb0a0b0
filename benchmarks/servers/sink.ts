// Builds and starts the FastCGI application of the benchmarks.
import { chmodSync, existsSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { compile, type Place, Program } from '../lib/program.ts'
import type { Workplace } from '../lib/workplace.ts'

const SOURCE = fileURLToPath(new URL('../../servers/fcgi-sink.c', import.meta.url))

/** Builds and starts fcgi-sink.c, an application that does no work. `?bytes=N` sets the length of its response. */
export async function startSink(place: Workplace, where: Place = 'others'): Promise<Program> {
  const binary = join(place.directory, 'fcgi-sink')
  compile(SOURCE, binary)
  const sink = new Program([binary, place.socket], where)
  while (!existsSync(place.socket)) {
    if (sink.ended) throw new Error(`fcgi-sink ended: ${sink.output}`)
    await delay(10)
  }
  chmodSync(place.socket, 0o666)
  return sink
}
