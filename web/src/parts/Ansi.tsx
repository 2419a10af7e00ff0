import { memo } from 'react'
import { find, parseAnsi, type Segment } from '../text/ansi'

/** A line of output in its colours; always text, whatever it looks like. */
export const Ansi = memo(function Ansi({ text, mark }: { text: string; mark?: string }) {
  const segments = parseAnsi(text)
  if (!mark) return segments.map((one, index) => <Piece key={index} segment={one} />)
  return find(segments, mark).map((one, index) =>
    one.found ? (
      <mark key={index}>
        <Piece segment={one} />
      </mark>
    ) : (
      <Piece key={index} segment={one} />
    ),
  )
})

function Piece({ segment: { text, className, color, background } }: { segment: Segment }) {
  if (!className && !color && !background) return text
  const style = color || background ? { color, background } : undefined
  return (
    <span className={className || undefined} style={style}>
      {text}
    </span>
  )
}
