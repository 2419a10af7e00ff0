import { useEffect, useEffectEvent, useRef, useState, useSyncExternalStore } from 'react'
import { report } from './connections'
import { endSession } from './session'
import { follow, type Connection, type Place, type StreamEvent } from './stream'
import type { Problem } from './problem'

const PATIENCE = 10_000 // ms that a hidden page keeps its streams: browsers allow six a host

export interface StreamState {
  connection: Connection
  /** Why the stream was refused for good. */
  problem: Problem | null
}

/** Follow a stream while the page is looked at; it goes on where it was when that is so again. */
export function useStream(
  url: string | null,
  onEvents: (events: StreamEvent[]) => boolean | undefined,
): StreamState {
  const watched = useWatched()
  const [state, setState] = useState<StreamState>({ connection: 'connecting', problem: null })
  const place = useRef<{ url: string | null; at: Place; over: boolean } | null>(null)
  const events = useEffectEvent(onEvents)

  useEffect(() => {
    if (url === null || !watched) return
    if (place.current?.url !== url) place.current = { url, at: { id: '' }, over: false }
    const current = place.current
    if (current.over) return
    const stream = Symbol(url)
    const abort = new AbortController()
    let problem: Problem | null = null
    const listener = {
      events: (batch: StreamEvent[]) => (abort.signal.aborted ? false : events(batch)),
      refused: (refusal: Problem) => {
        problem = refusal
        if (refusal.status === 401) endSession()
      },
      connection: (connection: Connection) => {
        if (abort.signal.aborted) return
        current.over = connection === 'ended'
        report(stream, connection)
        setState({ connection, problem })
      },
    }
    void follow(url, current.at, listener, abort.signal)
    return () => {
      abort.abort()
      report(stream, null)
    }
  }, [url, watched])

  return state
}

/** Whether the page is visible, or was a moment ago. */
function useWatched(): boolean {
  return useSyncExternalStore(subscribe, () => watched)
}

let watched = true
let timer: ReturnType<typeof setTimeout> | undefined
const listeners = new Set<() => void>()

function subscribe(listener: () => void): () => void {
  listeners.add(listener)
  return () => listeners.delete(listener)
}

function setWatched(value: boolean): void {
  watched = value
  for (const listener of listeners) listener()
}

document.addEventListener('visibilitychange', () => {
  clearTimeout(timer)
  if (document.visibilityState === 'visible') setWatched(true)
  else timer = setTimeout(() => setWatched(false), PATIENCE)
})
