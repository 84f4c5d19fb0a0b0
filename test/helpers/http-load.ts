/** HTTP clients on kept connections that ask again and again, and count what fails. */
import { Agent, get } from 'node:http'

export interface HttpLoad {
  /** Requests that got the wanted answer. */
  answered(): number
  readonly failures: string[]
  /** Ends the load after the running requests. */
  stop(): Promise<void>
}

/** Starts `clients` clients, each on a connection of its own. An answer is wanted that is exactly `text`. */
export function startHttpLoad(url: string, text: string, clients: number): HttpLoad {
  const failures: string[] = []
  let answered = 0
  let over = false
  const run = async (): Promise<void> => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    while (!over) {
      const got = await ask(url, agent).catch((error) => `failed: ${error.message}`)
      if (got === text) answered++
      else failures.push(got)
    }
    agent.destroy()
  }
  const all = Array.from({ length: clients }, run)
  const stop = async (): Promise<void> => {
    over = true
    await Promise.all(all)
  }
  return { answered: () => answered, failures, stop }
}

/** The body of an answer. @param agent false for a new connection. */
export function ask(url: string, agent: Agent | false): Promise<string> {
  return new Promise((resolve, reject) => {
    get(url, { agent }, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (part) => {
        text += part
      })
      response.on('end', () => resolve(text)).on('error', reject)
    }).on('error', reject)
  })
}
