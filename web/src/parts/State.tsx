export type Tone = 'good' | 'busy' | 'bad' | 'idle'

/** A state in a word, with a dot in its colour. */
export function State({ tone, children }: { tone: Tone; children: string }) {
  return (
    <span className={`state state-${tone}`}>
      <span className="dot" aria-hidden="true" />
      {children}
    </span>
  )
}
