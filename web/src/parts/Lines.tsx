import { Button } from '@mantine/core'
import { useVirtualizer } from '@tanstack/react-virtual'
import { useEffect, useLayoutEffect, useRef, useState, type ReactNode } from 'react'
import type { Numbered } from '../text/lines'
import { Icon } from './Icon'

interface Props<T> {
  lines: readonly Numbered<T>[]
  label: string
  draw: (line: T, number: number) => ReactNode
  /** Told when the reader scrolls away from the newest line, and when they come back. */
  onFollowing?: (following: boolean) => void
}

const ROW = 20 // px: a line that is not wrapped
const NEAR = 8 // px from the end that still count as the end

/** Many lines, of which only those in view are in the page. It stays at the newest line until the
 * reader scrolls up, and goes on when they scroll back.
 */
export function Lines<T>({ lines, label, draw, onFollowing }: Props<T>) {
  const box = useRef<HTMLDivElement>(null)
  const [following, setFollowing] = useState(true)
  const [seen, setSeen] = useState(0)
  const last = lines.at(-1)?.number ?? -1
  const rows = useVirtualizer({
    count: lines.length,
    getScrollElement: () => box.current,
    estimateSize: () => ROW,
    getItemKey: (index) => lines[index]?.number ?? index,
    overscan: 30,
  })
  const height = rows.getTotalSize()

  useLayoutEffect(() => {
    const element = box.current
    if (following && element) element.scrollTop = element.scrollHeight
  }, [following, height, last])

  useScrolledAway(box, (away) => {
    if (away === !following) return
    setFollowing(!away)
    setSeen(last)
    onFollowing?.(!away)
  })

  const missed = following ? 0 : last - seen
  return (
    <div className="lines">
      <div
        ref={box}
        className="lines-box"
        role="log"
        aria-label={label}
        aria-live="off"
        tabIndex={0}
      >
        <div style={{ height, position: 'relative' }}>
          {rows.getVirtualItems().map((row) => {
            const item = lines[row.index]
            return (
              item && (
                <div
                  key={row.key}
                  data-index={row.index}
                  ref={rows.measureElement}
                  className="line"
                  style={{ transform: `translateY(${row.start}px)` }}
                >
                  {draw(item.line, item.number)}
                </div>
              )
            )
          })}
        </div>
      </div>
      {!following && (
        <Button
          className="lines-down"
          size="compact-sm"
          leftSection={<Icon name="down" size={14} />}
          onClick={() => {
            setFollowing(true)
            onFollowing?.(true)
          }}
        >
          {missed > 0 ? `${missed} new` : 'To the newest'}
        </Button>
      )}
    </div>
  )
}

/** Tells a reader who scrolls up from lines that grow: only the former moves the view up. */
function useScrolledAway(
  box: React.RefObject<HTMLDivElement | null>,
  tell: (away: boolean) => void,
): void {
  const told = useRef(tell)
  useEffect(() => {
    told.current = tell
  })
  useEffect(() => {
    const element = box.current
    if (!element) return
    let before = element.scrollTop
    let height = element.scrollHeight
    const scrolled = () => {
      const { scrollTop, scrollHeight, clientHeight } = element
      if (scrollHeight - scrollTop - clientHeight <= NEAR) told.current(false)
      else if (scrollTop < before && scrollHeight >= height) told.current(true)
      before = scrollTop
      height = scrollHeight
    }
    element.addEventListener('scroll', scrolled, { passive: true })
    return () => element.removeEventListener('scroll', scrolled)
  }, [box])
}
