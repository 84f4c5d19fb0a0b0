/** Asks both servers of every pair of a document, and compares the differences with those that the document lists. */
import type { Test } from 'tap'
import { type Answer, ask as send } from '../helpers/php-http.ts'
import type { Listed, MigrationDocument, Pair } from './document.ts'
import { type OriginalName, startOriginal } from './originals.ts'
import { startOurs } from './ours.ts'
import { type Ask, REQUESTS } from './requests.ts'
import { buildStage, type Stage } from './stage.ts'
import { aspectOf, differingAspects, type View, viewOf } from './view.ts'

/** An aspect in which the answers to a request differ. */
interface Difference {
  pair: string
  request: string
  aspect: string
  original: View
  here: View
}

/** Makes the function that gives the answers of the original of a pair. */
export type Original = (
  t: Test,
  pair: Pair,
  stage: Stage,
) => Promise<(request: Ask) => Promise<View>>

/** A server that is installed. */
export function installed(name: OriginalName): Original {
  return async (t, pair, stage) => {
    const directory = `${stage.directory}/original/${pair.name}`
    const text = stage.adapt(pair.original, 'original')
    const { port, log } = await startOriginal(t, name, text, directory)
    t.teardown(() => {
      if (!t.passing()) t.comment(log())
    })
    return (request) => viewed(request, port, stage)
  }
}

/** Runs the pairs of a document. */
export async function comparePairs(
  t: Test,
  document: MigrationDocument,
  original: Original,
): Promise<void> {
  const stage = await buildStage(t, document.pairs)
  const found: Difference[] = []
  for (const pair of document.pairs)
    await t.test(pair.name, async (t) => {
      const differences = await comparePair(t, pair, original, stage)
      const unlisted = differences.filter(
        (each) => !document.differences.some((row) => covers(row, each)),
      )
      const labels = requestsOf(pair).map(({ label }) => label)
      t.ok(labels.length >= 20, `${labels.length} requests`)
      t.equal(new Set(labels).size, labels.length, 'each has a label of its own')
      for (const label of labels)
        if (!unlisted.some(({ request }) => request === label)) t.pass(label)
      for (const text of described(unlisted)) t.fail(`not listed: ${text}`)
      found.push(...differences)
    })
  for (const row of document.differences) {
    const name = `${row.requests[0] ?? 'any request'}: ${row.aspects.join(', ')}`
    t.strictSame(notFound(row, found, document.pairs), [], `what is listed occurs: ${name}`)
  }
}

async function comparePair(
  t: Test,
  pair: Pair,
  original: Original,
  stage: Stage,
): Promise<Difference[]> {
  const theirs = await original(t, pair, stage)
  const port = await startOurs(t, stage.adapt(pair.ours, 'ours'))
  const differences: Difference[] = []
  for (const request of requestsOf(pair)) {
    const [original, here] = await Promise.all([theirs(request), viewed(request, port, stage)])
    for (const aspect of differingAspects(original, here))
      differences.push({ pair: pair.name, request: request.label, aspect, original, here })
  }
  return differences
}

/** All that a pair is asked. */
function requestsOf({ name, requests }: Pair): Ask[] {
  return requests.flatMap((list) => {
    const all = REQUESTS[list]
    if (all === undefined) throw new Error(`pair ${name}: there is no list of requests ${list}`)
    return all
  })
}

/** The answer of a server to a request. */
export async function viewed(request: Ask, port: number, stage: Stage): Promise<View> {
  const first = await viewedOnce(request, port, stage)
  if (!request.twice) return first
  const second = await viewedOnce(request, port, stage)
  return { ...second, body: second.body === first.body ? 'the same' : 'another' }
}

async function viewedOnce(request: Ask, port: number, stage: Stage): Promise<View> {
  const { method, headers, body, chunked } = request
  const path = request.path.replaceAll('{files}', stage.files)
  const length = body === undefined || chunked ? {} : { 'content-length': Buffer.byteLength(body) }
  const answer: Answer = await send(port, path, {
    method,
    headers: { host: 'example.org', ...headers, ...length },
    body: chunked && body !== undefined ? [Buffer.from(body)] : body,
  })
  return viewOf(answer, path, stage.places)
}

/** Whether a row of the table speaks of a difference, and what it says of both sides is so. */
function covers(row: Listed, { pair, request, aspect, original, here }: Difference): boolean {
  const isListed =
    (row.pairs.length === 0 || row.pairs.includes(pair)) &&
    (row.requests.length === 0 || row.requests.includes(request)) &&
    row.aspects.includes(aspect)
  if (!isListed || row.aspects.length > 1) return isListed
  return isSo(row.original, aspectOf(original, aspect)) && isSo(row.here, aspectOf(here, aspect))
}

/** Whether a cell is right: a status, "none", a part of the value as code; other words are not checked. */
function isSo(cell: string, value: string | undefined): boolean {
  const [, code] = /^`([^`]*)`/.exec(cell) ?? []
  if (cell === 'none') return value === undefined
  const packed = (text = ''): string => text.replaceAll(' ', '')
  if (code !== undefined) return packed(value).includes(packed(code))
  return !/^\d{3}\b/.test(cell) || cell.slice(0, 3) === value
}

/** What a row lists and no answer shows. With `any` request an aspect has to differ in one of them. */
function notFound(row: Listed, found: readonly Difference[], pairs: readonly Pair[]): string[] {
  const names = pairs.map(({ name }) => name)
  const unknown = row.pairs.filter((name) => !names.includes(name))
  const concerned = pairs.filter(({ name }) => row.pairs.length === 0 || row.pairs.includes(name))
  const missing = concerned.flatMap((pair) => {
    const labels = requestsOf(pair).map(({ label }) => label)
    const requests =
      row.pairs.length === 0 ? row.requests.filter((label) => labels.includes(label)) : row.requests
    const wanted = row.requests.length === 0 ? [undefined] : requests
    return wanted.flatMap((request) =>
      row.aspects
        .filter(
          (aspect) =>
            !found.some(
              (each) =>
                each.pair === pair.name &&
                each.aspect === aspect &&
                (request === undefined || each.request === request) &&
                covers(row, each),
            ),
        )
        .map((aspect) => `${pair.name}: ${request ?? 'any request'}: ${aspect}`),
    )
  })
  return [...unknown.map((name) => `there is no pair ${name}`), ...missing]
}

/** Differences as text, those of the same kind together. */
function described(differences: readonly Difference[]): string[] {
  const kinds = new Map<string, string[]>()
  for (const { pair, request, aspect, original, here } of differences) {
    const both = [original, here].map((view) => JSON.stringify(aspectOf(view, aspect) ?? null))
    const kind = `${pair}: ${aspect} is ${both[0]}, here ${both[1]}`
    kinds.set(kind, [...(kinds.get(kind) ?? []), request])
  }
  return [...kinds].map(([kind, requests]) => `${kind}: ${requests.join('; ')}`)
}
