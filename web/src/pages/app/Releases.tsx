import { Button } from '@mantine/core'
import { useMutation, useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { Link, useLocation } from 'wouter'
import { diffQuery, releasesQuery, rollback } from '../../api/apps'
import type { AppState, Release } from '../../api/shapes'
import { ProblemNote } from '../../parts/ProblemNote'
import { Ago } from '../../parts/Time'
import { releaseTitle } from '../../text/states'
import { Diff } from './Diff'

interface Props {
  state: AppState
  /** The release that is open. */
  version: number | null
}

export default function Releases({ state, version }: Props) {
  const { app } = state
  const [all, setAll] = useState(false)
  const streamed = state.releases.items
  const newest = streamed[0]?.version ?? 0
  const older = (streamed.at(-1)?.version ?? 1) > 1
  const asked = all || (version !== null && !streamed.some((one) => one.version === version))
  const more = useQuery({ ...releasesQuery(app.name, newest), enabled: older && asked })
  const releases = more.data?.items ?? streamed
  if (!newest)
    return (
      <p className="card card-note">
        There is no release yet. The first one comes with the first build that succeeds:{' '}
        <Link href={`/apps/${app.name}`}>how to push</Link>.
      </p>
    )
  return (
    <>
      <ol className="card list" aria-label="Releases, newest first">
        {releases.map((release) => (
          <ReleaseRow
            key={release.version}
            app={app.name}
            releases={releases}
            release={release}
            open={release.version === version}
          />
        ))}
      </ol>
      <ProblemNote error={more.error} />
      {older && !more.data && (
        <Button variant="default" size="xs" loading={more.isFetching} onClick={() => setAll(true)}>
          Show older releases
        </Button>
      )}
    </>
  )
}

interface RowProps {
  app: string
  releases: Release[]
  release: Release
  open: boolean
}

function ReleaseRow({ app, releases, release, open }: RowProps) {
  const [, go] = useLocation()
  const place = `/apps/${app}/releases`
  const toggle = () => go(open ? place : `${place}/${release.version}`, { replace: true })
  return (
    <li className="release" data-open={open || undefined}>
      <div className="release-row">
        <code className="release-version">v{release.version}</code>
        <div className="release-what">
          <span className="release-title">{releaseTitle(release)}</span>
          <span className="muted">
            {release.source?.commit && (
              <>
                <code title={release.source.commit}>{release.source.commit.slice(0, 8)}</code>
                {' · '}
              </>
            )}
            <Ago at={release.created_at} /> by {release.created_by}
          </span>
        </div>
        {release.serving && <span className="tag">serving</span>}
        <Button
          variant={open ? 'light' : 'default'}
          size="compact-sm"
          aria-expanded={open}
          onClick={toggle}
        >
          {open ? 'Close' : release.serving ? 'Details' : 'Roll back…'}
          <span className="visually-hidden"> v{release.version}</span>
        </Button>
      </div>
      {open && <Details app={app} releases={releases} release={release} />}
    </li>
  )
}

function Details({ app, releases, release }: Omit<RowProps, 'open'>) {
  const serving = releases.find((one) => one.serving)
  const previous = releases.find((one) => one.version < release.version)
  if (serving && !release.serving) return <Rollback app={app} from={serving} to={release} />
  return (
    <div className="release-details">
      {previous ? (
        <>
          <h2>
            What changed from v{previous.version} to v{release.version}
          </h2>
          <Compared app={app} from={previous.version} to={release.version} />
        </>
      ) : (
        <p className="muted">The first release: nothing to compare it with.</p>
      )}
      <Processes release={release} />
    </div>
  )
}

function Processes({ release }: { release: Release }) {
  return (
    <dl className="facts">
      {Object.entries(release.processes).map(([kind, command]) => (
        <div key={kind}>
          <dt>{kind}</dt>
          <dd className="mono">{command || 'the command of the image'}</dd>
        </div>
      ))}
      <dt>Image</dt>
      <dd className="mono">{release.image}</dd>
      {release.switch && (
        <>
          <dt>Switch</dt>
          <dd>
            {release.switch.requests.toLocaleString('en')} requests,{' '}
            {release.switch.failed.toLocaleString('en')} failed
            {!release.switch.ended_at && ' so far'}
          </dd>
        </>
      )}
    </dl>
  )
}

function Rollback({ app, from, to }: { app: string; from: Release; to: Release }) {
  const [, go] = useLocation()
  const back = useMutation({
    mutationFn: () => rollback(app, to.version),
    onSuccess: ({ deployment }) => go(`/apps/${app}/deployments/${deployment.id}`),
  })
  return (
    <div className="release-details">
      <h2>
        What a rollback from v{from.version} to v{to.version} changes
      </h2>
      <Compared app={app} from={from.version} to={to.version} />
      <ProblemNote error={back.error} />
      <div className="release-action">
        <Button size="sm" loading={back.isPending} onClick={() => back.mutate()}>
          Roll back to v{to.version}
        </Button>
        <span className="hint">
          It makes a new release that repeats v{to.version}. v{from.version} serves until it is up,
          and the release phase does not run again.
        </span>
      </div>
    </div>
  )
}

function Compared({ app, from, to }: { app: string; from: number; to: number }) {
  const { data, error } = useQuery(diffQuery(app, from, to))
  if (error) return <ProblemNote error={error} />
  if (!data) return <p className="muted">Comparing…</p>
  return <Diff diff={data} />
}
