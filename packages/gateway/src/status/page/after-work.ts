// Scripts that work on after their response.

import type { DispatcherSnapshot } from '../snapshot.ts'
import { html, type Markup } from './html.ts'
import { milliseconds } from './number-format.ts'

/** How many are named; the JSON names all. */
const MAX_NAMED = 20

/** The scripts of a pool or member that work on after their response; false without any. */
export function afterWorkOf(
  name: string,
  { afterWork = [] }: DispatcherSnapshot['stats'],
): Markup | false {
  if (afterWork.length === 0) return false
  const scripts = afterWork
    .slice(0, MAX_NAMED)
    .map(
      ({ script, idempotent, milliseconds: time }) =>
        html`<br><bdi>${script}</bdi>${!idempotent && ' (POST)'}: ${milliseconds(time)}`,
    )
  const more = afterWork.length - scripts.length
  return html`<p class="none" data-key="after-work ${name}"><b>Scripts that work on after their response</b>, of <bdi>${name}</bdi>; their connections are not kept${scripts}${more > 0 && html`<br>and ${more} more`}</p>`
}
