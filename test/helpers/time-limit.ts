/**
 * Time limits of tests. They are given as an idle machine needs them, and are longer where the machine is slower: by what
 * the runner measured when the file began, or by what is measured when a limit is reached, whichever is more.
 */

/** How many times as long as on an idle machine things take; 1 when a file runs without the runner. */
const SLOWNESS = Math.max(1, Number(process.env.FCGI_TEST_SLOWNESS ?? 1))
/** Milliseconds of processor time by which it is measured. */
const SAMPLE = 20

/** As many milliseconds as the machine needs for what takes so long on an idle one. */
export function scaled(milliseconds: number): number {
  return Math.ceil(milliseconds * SLOWNESS)
}

/** Calls back when the time is over, unless the function that it returns is called before. */
export function onExpiry(limit: number, expired: () => void): () => void {
  const begun = performance.now()
  const look = (): void => {
    const left = limit * Math.max(SLOWNESS, slownessNow()) - (performance.now() - begun)
    if (left > 0) timer = setTimeout(look, left)
    else expired()
  }
  let timer = setTimeout(look, scaled(limit))
  return () => clearTimeout(timer)
}

/** Computes for a moment: as many times longer that takes as other programs have the processor in between. */
function slownessNow(): number {
  const begun = performance.now()
  const before = process.cpuUsage()
  const used = (): number => {
    const { user, system } = process.cpuUsage(before)
    return (user + system) / 1000
  }
  while (used() < SAMPLE);
  return (performance.now() - begun) / used()
}
