import { memo } from 'react'
import { parseAnsi } from '../text/ansi'

/** A line of output in its colours; always text, whatever it looks like. */
export const Ansi = memo(function Ansi({ text, mark }: { text: string; mark?: string }) {
  return parseAnsi(text).map((segment, index) => (
    <span
      key={index}
      className={segment.className || undefined}
      style={
        segment.color || segment.background
          ? { color: segment.color, background: segment.background }
          : undefined
      }
    >
      {mark ? <Marked text={segment.text} mark={mark} /> : segment.text}
    </span>
  ))
})

/** Text in which what was searched for stands out. */
function Marked({ text, mark }: { text: string; mark: string }) {
  const parts: { text: string; found: boolean }[] = []
  const low = text.toLowerCase()
  let at = 0
  for (let next = low.indexOf(mark); next >= 0; next = low.indexOf(mark, at)) {
    if (next > at) parts.push({ text: text.slice(at, next), found: false })
    parts.push({ text: text.slice(next, next + mark.length), found: true })
    at = next + mark.length
  }
  if (at < text.length) parts.push({ text: text.slice(at), found: false })
  return parts.map((part, index) =>
    part.found ? <mark key={index}>{part.text}</mark> : <span key={index}>{part.text}</span>,
  )
}
