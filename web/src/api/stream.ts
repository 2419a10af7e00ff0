/** Server-sent events that survive a restart of the control plane, read with fetch.
 *
 * Unlike EventSource this sees status and problem of a refused request, resumes after any kind of
 * failure, and notices a connection that died silently (a laptop that slept).
 */

import { createParser } from 'eventsource-parser'
import { Problem } from './problem'

export type Connection = 'connecting' | 'live' | 'reconnecting' | 'ended'

export interface StreamEvent {
  type: string
  data: string
  id: string
}

export interface Listener {
  /** All events of one chunk, in their order. Return false to end the stream. */
  events: (events: StreamEvent[]) => boolean | undefined
  connection?: (connection: Connection) => void
  /** The request was refused for good, such as 401 or 404. */
  refused: (problem: Problem) => void
}

const SILENCE = 40_000 // ms; the server says something every 15 s
const PAUSES = [250, 500, 1000, 2000, 3000]

/** How far a stream was read; a later follow() of the same url goes on from there. */
export interface Place {
  id: string
}

/** Follow url until the signal aborts, the listener ends it, or it is refused. */
export async function follow(
  url: string,
  place: Place,
  listener: Listener,
  signal: AbortSignal,
): Promise<void> {
  let failures = 0
  listener.connection?.('connecting')
  while (!signal.aborted) {
    const ended = await once(url, place.id, signal, {
      open: () => {
        failures = 0
        listener.connection?.('live')
      },
      events: (events) => {
        for (const { id } of events) if (id) place.id = id
        return listener.events(events) === false
      },
      refused: listener.refused,
    })
    if (ended) {
      listener.connection?.('ended')
      return
    }
    if (isAborted(signal)) return
    listener.connection?.('reconnecting')
    await pause(PAUSES[Math.min(failures++, PAUSES.length - 1)] ?? 1000, signal)
  }
}

interface Steps {
  open: () => void
  events: (events: StreamEvent[]) => boolean
  refused: (problem: Problem) => void
}

/** One connection; returns whether the stream is over for good. */
async function once(
  url: string,
  lastId: string,
  signal: AbortSignal,
  steps: Steps,
): Promise<boolean> {
  const watch = new AbortController()
  let timer = setTimeout(() => watch.abort(), SILENCE)
  try {
    const headers: Record<string, string> = { Accept: 'text/event-stream' }
    if (lastId) headers['Last-Event-ID'] = lastId
    const both = AbortSignal.any([signal, watch.signal])
    const response = await fetch(url, { headers, signal: both, cache: 'no-store' })
    if (!response.ok || !response.body) return await refuse(response, steps)
    steps.open()
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
    let batch: StreamEvent[] = []
    const parser = createParser({
      onEvent: ({ event, data, id }) =>
        batch.push({ type: event ?? 'message', data, id: id ?? '' }),
    })
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return false
      clearTimeout(timer)
      timer = setTimeout(() => watch.abort(), SILENCE)
      batch = []
      parser.feed(value)
      if (batch.length && steps.events(batch)) return true
    }
  } catch {
    return false // cut off, or nobody there
  } finally {
    clearTimeout(timer)
    watch.abort()
  }
}

/** A refusal of the request is final; a failure of the server is not. */
async function refuse(response: Response, steps: Steps): Promise<boolean> {
  const body: unknown = await response.json().catch(() => null)
  if (response.status >= 500 || response.status === 429) return false
  steps.refused(Problem.of(response.status, body))
  return true
}

function isAborted(signal: AbortSignal): boolean {
  return signal.aborted
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, milliseconds)
    function done() {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    signal.addEventListener('abort', done)
  })
}
