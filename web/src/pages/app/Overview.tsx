import { Button } from '@mantine/core'
import { useState } from 'react'
import type { AppState, Deployment } from '../../api/shapes'
import { Link } from 'wouter'
import { Copy } from '../../parts/Copy'
import { State } from '../../parts/State'
import { Ago } from '../../parts/Time'
import { deploymentState, deploymentTitle } from '../../text/states'
import { FirstPush } from './FirstPush'
import { Processes } from './Processes'

const RECENT = 6

export default function Overview({ state }: { state: AppState }) {
  const { app, formation, instances, deployments } = state
  const [all, setAll] = useState(false)
  if (!deployments.items.length) return <FirstPush app={app} />
  return (
    <div className="overview">
      <div>
        <Processes app={app.name} formation={formation.items} instances={instances.items} />
        <section aria-labelledby="recent">
          <h2 id="recent">Deployments</h2>
          <ul className="card list">
            {deployments.items.slice(0, all ? undefined : RECENT).map((one) => (
              <DeploymentRow key={one.id} app={app.name} deployment={one} />
            ))}
          </ul>
          {!all && deployments.items.length > RECENT && (
            <Button variant="subtle" size="compact-sm" mt="xs" onClick={() => setAll(true)}>
              Show older deployments
            </Button>
          )}
        </section>
      </div>
      <About state={state} />
    </div>
  )
}

export function DeploymentRow({ app, deployment }: { app: string; deployment: Deployment }) {
  const { word, tone } = deploymentState(deployment.status)
  return (
    <li className="deployment-row">
      <Link href={`/apps/${app}/deployments/${deployment.id}`} className="deployment-what">
        {deploymentTitle(deployment)}
      </Link>
      <span className="deployment-facts">
        <State tone={tone}>{word}</State>
        {deployment.release !== null && <code>v{deployment.release}</code>}
        <span className="muted">
          <Ago at={deployment.created_at} /> by {deployment.created_by}
        </span>
      </span>
      {deployment.error && <span className="deployment-error">{deployment.error.cause}</span>}
    </li>
  )
}

function About({ state: { app, releases } }: { state: AppState }) {
  const serving = releases.items.find((one) => one.serving)
  return (
    <aside aria-label="About this app">
      <h2>About</h2>
      <dl className="facts card">
        <dt>Serving</dt>
        <dd>
          {serving ? (
            <>
              <Link href={`/apps/${app.name}/releases/${serving.version}`}>v{serving.version}</Link>{' '}
              <span className="muted">
                since <Ago at={serving.created_at} />
              </span>
            </>
          ) : (
            'nothing yet'
          )}
        </dd>
        <dt>Hosts</dt>
        {app.hosts.map((host) => (
          <dd key={host} className="mono">
            {host}
          </dd>
        ))}
        <dt>Git remote</dt>
        <dd className="with-copy">
          <span className="mono">{app.git_url}</span>
          <Copy text={app.git_url} what="the git remote" />
        </dd>
        <dt>Branch</dt>
        <dd className="mono">{app.deploy_branch}</dd>
        {app.builder && (
          <>
            <dt>Built by</dt>
            <dd>{app.builder}</dd>
            <dt>Runs as</dt>
            <dd>{app.user ?? "the image's own user"}</dd>
          </>
        )}
        <dt>Created</dt>
        <dd>
          <Ago at={app.created_at} />
        </dd>
      </dl>
    </aside>
  )
}
