import type { ReactNode } from 'react'
import type { ReleaseDiff } from '../../api/shapes'

interface Change {
  before: string | null
  after: string | null
}

/** What differs between two releases: code, commands, and the names of config vars. */
export function Diff({ diff }: { diff: ReleaseDiff }) {
  const config = [
    ...diff.config_added.map((key) => [key, 'added', '+'] as const),
    ...diff.config_removed.map((key) => [key, 'removed', '−'] as const),
    ...diff.config_changed.map((key) => [key, 'changed', '±'] as const),
  ]
  const processes = Object.entries(diff.processes)
  if (!diff.image && !diff.commit && !config.length && !processes.length)
    return <p className="diff-same">Nothing: image, commands and config are the same.</p>
  return (
    <dl className="diff">
      <Row name="Code">
        {diff.commit ? (
          <Both change={diff.commit} show={(text) => text.slice(0, 12)} />
        ) : (
          <span className="muted">the same commit</span>
        )}
        {!diff.commit && diff.image && <span className="muted">, built anew</span>}
      </Row>
      {processes.map(([kind, change]) => (
        <Row key={kind} name={kind}>
          <Both change={change} />
        </Row>
      ))}
      <Row name="Config">
        {config.length ? (
          <ul className="diff-config">
            {config.map(([key, what, sign]) => (
              <li key={key} className={`diff-${what}`}>
                <span aria-hidden="true">{sign} </span>
                <code>{key}</code> <span className="muted">{what}</span>
              </li>
            ))}
          </ul>
        ) : (
          <span className="muted">no change</span>
        )}
      </Row>
    </dl>
  )
}

function Row({ name, children }: { name: string; children: ReactNode }) {
  return (
    <>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </>
  )
}

function Both({ change, show = (text) => text }: { change: Change; show?: (t: string) => string }) {
  return (
    <span className="diff-both">
      {change.before !== null && <del>{show(change.before)}</del>}
      {change.after !== null && <ins>{show(change.after)}</ins>}
    </span>
  )
}
