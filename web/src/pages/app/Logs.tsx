import { CloseButton, NativeSelect, TextInput } from '@mantine/core'
import { useDeferredValue, useMemo, useState } from 'react'
import { useSearchParams } from 'wouter'
import type { AppState, LogLine } from '../../api/shapes'
import type { StreamEvent } from '../../api/stream'
import { useStream } from '../../api/useStream'
import { Ansi } from '../../parts/Ansi'
import { Icon } from '../../parts/Icon'
import { Lines } from '../../parts/Lines'
import { ProblemNote } from '../../parts/ProblemNote'
import { useLines } from '../../parts/useLines'
import { stripAnsi } from '../../text/ansi'
import { clock, exact } from '../../text/time'

const LIMIT = 50_000
const HISTORY = 2000 // lines that are there when the page opens

interface Entry {
  line: LogLine
  /** What the search looks at. */
  plain: string
}

/** The app's log as it grows. Filters are in the address, so that a view can be passed on. */
export default function Logs({ state: { app, formation } }: { state: AppState }) {
  const [filters, setFilters] = useSearchParams()
  const from = filters.get('from') ?? ''
  const search = filters.get('q') ?? ''
  const set = (name: string, value: string) =>
    setFilters(
      (before) => {
        if (value) before.set(name, value)
        else before.delete(name)
        return before
      },
      { replace: true },
    )
  return (
    <div className="logs">
      <div className="logs-filters" role="search">
        <NativeSelect
          aria-label="From"
          value={from}
          onChange={(event) => set('from', event.currentTarget.value)}
          data={[
            { value: '', label: 'Everything' },
            ...formation.items.map(({ process }) => ({ value: process, label: process })),
            { value: '@app', label: 'app, all processes' },
            { value: '@router', label: 'router' },
            { value: '@build', label: 'build' },
            { value: '@platform', label: 'platform' },
          ]}
        />
        <TextInput
          aria-label="Text to look for"
          placeholder="Find in the log"
          leftSection={<Icon name="search" />}
          rightSection={
            search ? (
              <CloseButton aria-label="Clear the search" onClick={() => set('q', '')} />
            ) : null
          }
          rightSectionPointerEvents="all"
          value={search}
          onChange={(event) => set('q', event.currentTarget.value)}
        />
      </div>
      <Stream key={from} app={app.name} from={from} search={search} />
    </div>
  )
}

function Stream({ app, from, search }: { app: string; from: string; search: string }) {
  const { lines, feed } = useLines<Entry>(LIMIT)
  const [wide, setWide] = useState(true)
  const read = (events: StreamEvent[]) => {
    const fresh = events.filter((one) => one.type === 'log')
    if (fresh.length) feed.add(fresh.map(entry))
    return events.some((one) => one.type === 'gone') ? false : undefined
  }
  const { connection, problem } = useStream(address(app, from), read)
  const wanted = useDeferredValue(search.toLowerCase())
  const shown = useMemo(
    () => (wanted ? lines.filter((one) => one.line.plain.includes(wanted)) : lines),
    [lines, wanted],
  )
  return (
    <section className="terminal" aria-label="Log">
      <div className="terminal-head">
        <span>
          {wanted ? `${shown.length} of ${lines.length} lines` : `${lines.length} lines`}
          {feed.dropped > 0 && `, ${feed.dropped} older ones left out`}
        </span>
        <label className="terminal-wrap">
          <input
            type="checkbox"
            checked={wide}
            onChange={(event) => setWide(event.currentTarget.checked)}
          />
          Wrap
        </label>
      </div>
      <ProblemNote error={problem} />
      <div className={wide ? undefined : 'lines-unwrapped'}>
        <Lines
          lines={shown}
          label="Log of the app"
          onFollowing={(following) => feed.hold(!following)}
          draw={({ line }) => <Row line={line} mark={wanted} />}
        />
      </div>
      {!shown.length && !problem && connection !== 'connecting' && (
        <p className="terminal-empty">
          {lines.length
            ? 'No line has this text.'
            : 'Nothing yet. What the app prints appears here.'}
        </p>
      )}
    </section>
  )
}

function entry(event: StreamEvent): Entry {
  const line = JSON.parse(event.data) as LogLine
  return { line, plain: stripAnsi(line.text).toLowerCase() }
}

/** `web` is a process type, `@router` a source. */
function address(app: string, from: string): string {
  const only = new URLSearchParams({ n: String(HISTORY) })
  if (from.startsWith('@')) only.set('source', from.slice(1))
  else if (from) only.set('process', from)
  else only.set('source', 'all') // with builds
  return `/v1/apps/${app}/logs/follow?${only.toString()}`
}

function Row({ line, mark }: { line: LogLine; mark: string }) {
  return (
    <div className={`log log-${line.source} ${line.stream === 'stderr' ? 'log-stderr' : ''}`}>
      <time className="log-time" dateTime={line.time} title={exact(line.time)}>
        {clock(line.time)}
      </time>
      <span className="log-from">{line.instance || line.source}</span>
      <span className="log-text">
        <Ansi text={line.text} mark={mark} />
      </span>
    </div>
  )
}
