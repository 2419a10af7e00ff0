/** Colours that programs write into their output (ECMA-48 SGR), as data; other sequences go. */

export interface Segment {
  text: string
  /** Class names such as `c1` (foreground 0-15), `b4` (background), `bold`; empty for plain text. */
  className: string
  /** A colour of the 256 colour cube or in full, where no class fits. */
  color?: string
  background?: string
}

interface Pen {
  fg: string
  bg: string
  color?: string
  background?: string
  marks: Set<string>
}

const MARKS: Record<number, string> = { 1: 'bold', 2: 'dim', 3: 'italic', 4: 'underline' }
const ENDS: Record<number, string[]> = { 22: ['bold', 'dim'], 23: ['italic'], 24: ['underline'] }

// CSI sequences (SGR is the one that ends in m), OSC strings (titles, links), and two-byte escapes.
const ESCAPE =
  /\x1b\[([0-?]*)[ -/]*([@-~])|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[@-Z\\^_=>78()][0-9A-B]?/g
const CONTROL = /[\x00-\x08\x0b-\x1f\x7f]/g

/** A line's text in segments of one look each. Lines without escapes are one segment. */
export function parseAnsi(line: string): Segment[] {
  if (!line.includes('\x1b')) return [{ text: clean(line), className: '' }]
  const pen: Pen = { fg: '', bg: '', marks: new Set() }
  const segments: Segment[] = []
  let at = 0
  for (const match of line.matchAll(ESCAPE)) {
    put(segments, line.slice(at, match.index), pen)
    at = match.index + match[0].length
    if (match[2] === 'm') turn(pen, match[1] ?? '')
  }
  put(segments, line.slice(at), pen)
  return segments
}

/** The text alone. */
export function stripAnsi(line: string): string {
  return clean(line.includes('\x1b') ? line.replace(ESCAPE, '') : line)
}

/** What a terminal would show last of a line that a progress bar rewrote, without controls. */
function clean(text: string): string {
  const last = text.replace(/\r+$/, '')
  return last.slice(last.lastIndexOf('\r') + 1).replace(CONTROL, '')
}

function put(segments: Segment[], text: string, pen: Pen): void {
  const cleaned = clean(text)
  if (!cleaned) return
  const className = [pen.fg, pen.bg, ...pen.marks].filter(Boolean).join(' ')
  segments.push({ text: cleaned, className, color: pen.color, background: pen.background })
}

function turn(pen: Pen, parameters: string): void {
  const codes = parameters.split(/[;:]/).map((code) => Number(code || '0'))
  for (let i = 0; i < codes.length; i++) {
    const code = codes[i] ?? 0
    if (code === 38 || code === 48) i += extended(pen, code === 38, codes.slice(i + 1))
    else simple(pen, code)
  }
}

function simple(pen: Pen, code: number): void {
  const mark = MARKS[code]
  if (code === 0) {
    pen.marks.clear()
    setForeground(pen, '')
    setBackground(pen, '')
  } else if (mark) pen.marks.add(mark)
  else if (ENDS[code]) for (const ended of ENDS[code]) pen.marks.delete(ended)
  else if (code >= 30 && code <= 37) setForeground(pen, `c${code - 30}`)
  else if (code >= 90 && code <= 97) setForeground(pen, `c${code - 82}`)
  else if (code === 39) setForeground(pen, '')
  else if (code >= 40 && code <= 47) setBackground(pen, `b${code - 40}`)
  else if (code >= 100 && code <= 107) setBackground(pen, `b${code - 92}`)
  else if (code === 49) setBackground(pen, '')
}

/** 38;5;N or 38;2;R;G;B; returns how many codes it took. */
function extended(pen: Pen, foreground: boolean, rest: number[]): number {
  const set = foreground ? setForeground : setBackground
  const letter = foreground ? 'c' : 'b'
  if (rest[0] === 5) {
    const index = rest[1] ?? 0
    if (index < 16) set(pen, `${letter}${index}`)
    else set(pen, '', cube(index))
    return 2
  }
  if (rest[0] === 2) {
    set(pen, '', `rgb(${[rest[1], rest[2], rest[3]].map((one) => byte(one ?? 0)).join(' ')})`)
    return 4
  }
  return 0
}

function setForeground(pen: Pen, name: string, color?: string): void {
  pen.fg = name
  pen.color = color
}

function setBackground(pen: Pen, name: string, color?: string): void {
  pen.bg = name
  pen.background = color
}

/** The xterm palette: a 6x6x6 cube from 16 on, then 24 greys. */
function cube(index: number): string {
  if (index >= 232) {
    const grey = byte(8 + (index - 232) * 10)
    return `rgb(${grey} ${grey} ${grey})`
  }
  const level = (step: number) => (step === 0 ? 0 : 55 + step * 40)
  const place = index - 16
  const parts = [Math.floor(place / 36), Math.floor(place / 6) % 6, place % 6]
  return `rgb(${parts.map(level).join(' ')})`
}

function byte(value: number): number {
  return Math.max(0, Math.min(255, Math.trunc(value)))
}

export interface Found extends Segment {
  found: boolean
}

/** The segments, split where the wanted text (in small letters) begins and ends; a colour may change
 * in the middle of it. */
export function find(segments: readonly Segment[], wanted: string): Found[] {
  const low = segments.map((one) => one.text.toLowerCase()).join('')
  const cuts: number[] = [] // where it begins and ends, in turn
  for (let at = low.indexOf(wanted); at >= 0; at = low.indexOf(wanted, at + wanted.length))
    cuts.push(at, at + wanted.length)
  const parts: Found[] = []
  let begin = 0
  let cut = 0
  for (const segment of segments) {
    const end = begin + segment.text.length
    let at = begin
    while (at < end) {
      while (cut < cuts.length && (cuts[cut] ?? 0) <= at) cut++
      const next = Math.min(end, cuts[cut] ?? end)
      const text = segment.text.slice(at - begin, next - begin)
      parts.push({ ...segment, text, found: cut % 2 === 1 })
      at = next
    }
    begin = end
  }
  return parts
}
