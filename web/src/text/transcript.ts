/** The lines of a deployment's transcript, in the layout that a pusher sees. */

export type LineKind = 'step' | 'done' | 'warning' | 'detail'

export interface TranscriptLine {
  kind: LineKind
  text: string
  /** When it arrived here, ms; null where it was there before anybody looked. */
  at: number | null
}

const HEADS: [string, LineKind][] = [
  ['-----> ', 'step'],
  ['=====> ', 'done'],
  [' !     ', 'warning'],
  ['       ', 'detail'],
]

export function transcriptLine(text: string, at: number | null): TranscriptLine {
  const [head, kind] = HEADS.find(([head]) => text.startsWith(head)) ?? ['', 'detail']
  // A progress bar's states come as lines of one event; the terminal's way to say so is a return.
  return { kind, text: text.slice(head.length).replaceAll('\n', '\r'), at }
}

/** How long each step took, in ms by the index of its line; steps that nobody saw are left out. */
export function stepTimes(lines: readonly TranscriptLine[]): Map<number, number> {
  const times = new Map<number, number>()
  let open: { index: number; at: number } | null = null
  lines.forEach(({ kind, at }, index) => {
    if (kind !== 'step' && kind !== 'done') return
    if (open && at !== null) times.set(open.index, at - open.at)
    open = kind === 'step' && at !== null ? { index, at } : null
  })
  return times
}
