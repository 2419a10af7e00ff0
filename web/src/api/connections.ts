/** Which streams of this page are cut off just now, for one notice in the page's head. */

import { useSyncExternalStore } from 'react'
import type { Connection } from './stream'

const lost = new Set<symbol>()
const listeners = new Set<() => void>()

export function report(stream: symbol, connection: Connection | null): void {
  if (connection === 'reconnecting') lost.add(stream)
  else if (connection !== 'connecting') lost.delete(stream)
  for (const listener of listeners) listener()
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener)
  return () => listeners.delete(listener)
}

/** Whether a stream of this page is cut off and tries again. */
export function useReconnecting(): boolean {
  return useSyncExternalStore(subscribe, () => lost.size > 0)
}
