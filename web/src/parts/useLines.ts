import { useEffect, useState, useSyncExternalStore } from 'react'
import { LineWindow, type Numbered } from '../text/lines'

const DRAW = 60 // ms between two drawings of lines that stream in

/** Lines that stream in, however fast, and are drawn in batches. */
class LineFeed<T> {
  private readonly window: LineWindow<T>
  private readonly listeners = new Set<() => void>()
  private waiting: T[] = []
  private timer: ReturnType<typeof setTimeout> | undefined
  private held = false

  constructor(limit: number) {
    this.window = new LineWindow(limit)
  }

  get dropped(): number {
    return this.window.dropped
  }

  readonly lines = (): readonly Numbered<T>[] => this.window.lines

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  readonly add = (more: readonly T[]): void => {
    for (const line of more) this.waiting.push(line)
    this.timer ??= setTimeout(() => this.flush(), DRAW)
  }

  /** Do not drop old lines while the reader looks at them. */
  readonly hold = (held: boolean): void => {
    this.held = held
  }

  readonly stop = (): void => {
    clearTimeout(this.timer)
    this.timer = undefined
    this.flush()
  }

  private flush(): void {
    this.timer = undefined
    this.window.add(this.waiting, this.held)
    this.waiting = []
    for (const listener of this.listeners) listener()
  }
}

/** A feed of at most limit lines for one view, and the lines that it holds. */
export function useLines<T>(limit: number) {
  const [feed] = useState(() => new LineFeed<T>(limit))
  const lines = useSyncExternalStore(feed.subscribe, feed.lines)
  useEffect(() => feed.stop, [feed])
  return { lines, feed }
}
