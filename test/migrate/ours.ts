/** Our side of a pair: the JavaScript of a document, as a program of its own. */
import { rmSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'
import { accepting, freePort, startProgram } from '../helpers/programs.ts'
import { SHOWN_PORT } from './stage.ts'

let count = 0

/**
 * Runs a block on another port than the one that it shows, which is returned. It ends with the test.
 * @param shown that port; a number if the code is placed already.
 */
export async function startOurs(
  t: Test,
  code: string,
  shown: string | number = String(SHOWN_PORT),
): Promise<number> {
  const port = typeof shown === 'number' ? shown : await freePort()
  // Where imports resolve: beside the tests, whose packages are the workspace's.
  const file = fileURLToPath(new URL(`pair-${process.pid}-${++count}.mjs`, import.meta.url))
  const placed = code
    .replaceAll(`.listen(${SHOWN_PORT})`, `.listen(${SHOWN_PORT}, '127.0.0.1')`)
    .replaceAll(String(shown), String(port))
  writeFileSync(file, placed)
  t.teardown(() => rmSync(file, { force: true }))
  await accepting(startProgram(t, process.execPath, [file]), port)
  return port
}
