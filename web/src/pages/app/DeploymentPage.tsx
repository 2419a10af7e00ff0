import { Button } from '@mantine/core'
import { useMutation, useQuery } from '@tanstack/react-query'
import { useMemo, useRef, useState } from 'react'
import { Link } from 'wouter'
import { cancelBuild, deploymentQuery } from '../../api/apps'
import { queries } from '../../api/session'
import type { AppState, Deployment } from '../../api/shapes'
import type { StreamEvent } from '../../api/stream'
import { useStream } from '../../api/useStream'
import { Ansi } from '../../parts/Ansi'
import { Copy } from '../../parts/Copy'
import { Lines } from '../../parts/Lines'
import { ProblemNote } from '../../parts/ProblemNote'
import { State } from '../../parts/State'
import { Ago, Took } from '../../parts/Time'
import { useLines } from '../../parts/useLines'
import { Problem } from '../../api/problem'
import { deploymentState, deploymentTitle } from '../../text/states'
import { took } from '../../text/time'
import { stepTimes, transcriptLine, type TranscriptLine } from '../../text/transcript'

const LIMIT = 50_000

/** One deployment: what it is, how it goes, and all that it says. */
export default function DeploymentPage({ state, id }: { state: AppState; id: number }) {
  const app = state.app.name
  const streamed = state.deployments.items.find((one) => one.id === id)
  const asked = useQuery({ ...deploymentQuery(app, id), enabled: !streamed })
  const deployment = streamed ?? asked.data
  if (asked.error) return <ProblemNote error={asked.error} />
  return (
    <div className="deployment">
      {deployment && <Head app={app} deployment={deployment} />}
      <Transcript app={app} id={id} />
    </div>
  )
}

function Head({ app, deployment }: { app: string; deployment: Deployment }) {
  const { word, tone } = deploymentState(deployment.status)
  const { source, error } = deployment
  return (
    <header className="deployment-head">
      <h2>{deploymentTitle(deployment)}</h2>
      <p className="deployment-facts">
        <State tone={tone}>{word}</State>
        {deployment.release !== null && (
          <Link href={`/apps/${app}/releases/${deployment.release}`}>v{deployment.release}</Link>
        )}
        {source?.commit && <code title={source.commit}>{source.commit.slice(0, 8)}</code>}
        <span className="muted">
          <Ago at={deployment.created_at} /> by {deployment.created_by}
        </span>
        <span className="muted">
          {deployment.ended_at ? 'took ' : 'for '}
          <Took from={deployment.created_at} to={deployment.ended_at} />
        </span>
        <Cancel app={app} deployment={deployment} />
      </p>
      {error && <ProblemNote error={new Problem(error.code, error.cause, error.fix)} />}
    </header>
  )
}

/** Ends the build, while there is one that waits or runs. */
function Cancel({ app, deployment }: { app: string; deployment: Deployment }) {
  const build = deployment.build_id
  const cancel = useMutation({ mutationFn: (number: number) => cancelBuild(app, number) })
  if (build === null || !['queued', 'building'].includes(deployment.status)) return null
  return (
    <>
      <Button
        variant="default"
        size="compact-sm"
        loading={cancel.isPending || cancel.isSuccess}
        onClick={() => cancel.mutate(build)}
      >
        Cancel build
      </Button>
      <ProblemNote error={cancel.error} />
    </>
  )
}

function Transcript({ app, id }: { app: string; id: number }) {
  const { lines, feed } = useLines<TranscriptLine>(LIMIT)
  const [ended, setEnded] = useState(false)
  const history = useRef(true)

  const read = (events: StreamEvent[]) => {
    // What is there when the page opens came at a time that nobody saw.
    const at = history.current ? null : Date.now()
    const said = events.filter((one) => one.type === 'line')
    if (said.length) feed.add(said.map((one) => transcriptLine(one.data, at)))
    history.current = false
    const end = events.find((one) => one.type === 'end')
    if (end) {
      queries.setQueryData(deploymentQuery(app, id).queryKey, JSON.parse(end.data) as Deployment)
      setEnded(true)
    }
    return end || events.some((one) => one.type === 'gone') ? false : undefined
  }
  const { problem } = useStream(`/v1/apps/${app}/deployments/${id}/follow`, read)
  const times = useMemo(() => stepTimes(lines.map((one) => one.line)), [lines])
  const first = lines[0]?.number ?? 0

  return (
    <section className="terminal" aria-label="Output">
      <div className="terminal-head">
        <span>{ended ? 'Output' : 'Output, live'}</span>
        <Copy text={lines.map((one) => one.line.text).join('\n')} what="the output" />
      </div>
      <ProblemNote error={problem} />
      <Lines
        lines={lines}
        label="Output of the deployment"
        onFollowing={(following) => feed.hold(!following)}
        draw={(line, number) => <Row line={line} time={times.get(number - first)} />}
      />
      {!lines.length && (
        <p className="terminal-empty">{ended ? 'It said nothing.' : 'Waiting for output…'}</p>
      )}
    </section>
  )
}

function Row({ line, time }: { line: TranscriptLine; time: number | undefined }) {
  return (
    <div className={`said said-${line.kind}`}>
      <span className="said-text">
        <Ansi text={line.text} />
      </span>
      {time !== undefined && <span className="said-time">{took(time)}</span>}
    </div>
  )
}
