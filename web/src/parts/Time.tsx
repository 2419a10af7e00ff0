import { Tooltip } from '@mantine/core'
import { useSyncExternalStore } from 'react'
import { ago, exact, span, took } from '../text/time'

let timer: ReturnType<typeof setInterval> | undefined
let now = Date.now()
const listeners = new Set<() => void>()

/** One clock for all times of the page; a time is drawn again only when its words change. */
function subscribe(listener: () => void): () => void {
  if (!listeners.size) {
    now = Date.now()
    timer = setInterval(tick, 1000)
  }
  listeners.add(listener)
  return () => {
    listeners.delete(listener)
    if (!listeners.size) clearInterval(timer)
  }
}

function tick(): void {
  now = Date.now()
  for (const listener of listeners) listener()
}

function useWords(words: (now: number) => string): string {
  return useSyncExternalStore(subscribe, () => words(listeners.size ? now : Date.now()))
}

/** `5 min ago`, with the exact time on hover. */
export function Ago({ at }: { at: string }) {
  return <Told at={at} words={useWords((now) => ago(at, now))} />
}

/** `5 min`, for how long something has been so. */
export function Since({ at }: { at: string }) {
  return <Told at={at} words={useWords((now) => span(now - Date.parse(at)))} />
}

/** How long something took, or takes until now. */
export function Took({ from, to }: { from: string; to: string | null }) {
  const words = useWords((now) =>
    to ? took(Date.parse(to) - Date.parse(from)) : span(now - Date.parse(from)),
  )
  return <span className="time">{words}</span>
}

/** `in 20 s`, for what is due; nothing once it is. */
export function Until({ at }: { at: string }) {
  const words = useWords((now) => {
    const left = Date.parse(at) - now
    return left > 0 ? `in ${span(left + 999)}` : 'now'
  })
  return <Told at={at} words={words} />
}

function Told({ at, words }: { at: string; words: string }) {
  return (
    <Tooltip label={exact(at)}>
      <time dateTime={at} className="time">
        {words}
      </time>
    </Tooltip>
  )
}
