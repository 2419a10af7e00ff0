import { Button, Modal, Skeleton, TextInput } from '@mantine/core'
import { useMutation } from '@tanstack/react-query'
import { useState, type SubmitEvent } from 'react'
import { Link, useLocation } from 'wouter'
import { createApp, useApps } from '../api/apps'
import type { AppSummary } from '../api/shapes'
import { Commands } from '../parts/Copy'
import { Icon } from '../parts/Icon'
import { ProblemNote } from '../parts/ProblemNote'
import { State } from '../parts/State'
import { Ago } from '../parts/Time'
import { useTitle } from '../parts/useTitle'
import { appState, deploymentState } from '../text/states'

export default function AppList() {
  useTitle('Apps')
  const { data, problem } = useApps()
  const [making, setMaking] = useState(false)
  const apps = data?.items
  return (
    <section className="page">
      <div className="page-head">
        <h1>Apps</h1>
        {apps?.length ? (
          <Button size="sm" leftSection={<Icon name="plus" />} onClick={() => setMaking(true)}>
            New app
          </Button>
        ) : null}
      </div>
      <ProblemNote error={problem} />
      {!apps && !problem && <Waiting />}
      {apps?.length === 0 && <NoApps />}
      {apps?.length ? <Rows apps={apps} /> : null}
      <Modal opened={making} onClose={() => setMaking(false)} title="New app">
        <NewApp />
      </Modal>
    </section>
  )
}

function Waiting() {
  return (
    <div className="card rows" aria-busy="true" aria-label="Loading apps">
      {[0, 1, 2].map((row) => (
        <Skeleton key={row} height={52} radius={0} mb={1} />
      ))}
    </div>
  )
}

function Rows({ apps }: { apps: AppSummary[] }) {
  return (
    <div className="card rows">
      <div className="row row-head" aria-hidden="true">
        <span>Name</span>
        <span>State</span>
        <span>Release</span>
        <span>Instances</span>
        <span>Last deploy</span>
        <span>Address</span>
      </div>
      <ul aria-label="Apps">
        {apps.map((app) => (
          <Row key={app.name} app={app} />
        ))}
      </ul>
    </div>
  )
}

function Row({ app }: { app: AppSummary }) {
  const { word, tone } = appState(app)
  const { last_deployment: deployment, instances } = app
  return (
    <li className="row">
      <Link href={`/apps/${app.name}`} className="row-name">
        {app.name}
      </Link>
      <State tone={tone}>{word}</State>
      <span className="row-release">
        {app.release === null ? <Nothing what="no release" /> : <code>v{app.release}</code>}
      </span>
      <span className="row-instances">
        {app.release === null ? (
          <Nothing what="no instances" />
        ) : (
          <>
            <span className="visually-hidden">instances: </span>
            {instances.up}
            <span className="muted"> of {instances.wanted}</span>
            <span className="row-up"> up</span>
          </>
        )}
      </span>
      <span className="row-deploy">
        {deployment ? (
          <>
            {deployment.status === 'failed' && (
              <span className="word-bad">{deploymentState('failed').word} </span>
            )}
            <Ago at={deployment.ended_at ?? deployment.created_at} />
          </>
        ) : (
          <Nothing what="never deployed" />
        )}
      </span>
      <span className="row-url">
        {app.release === null ? null : (
          <a href={app.url} target="_blank" rel="noreferrer">
            {app.url.replace(/^https?:\/\//, '')} <Icon name="out" size={13} />
          </a>
        )}
      </span>
    </li>
  )
}

function Nothing({ what }: { what: string }) {
  return (
    <span className="muted">
      <span aria-hidden="true">–</span>
      <span className="visually-hidden">{what}</span>
    </span>
  )
}

function NoApps() {
  return (
    <div className="card first">
      <h2>Land your first app</h2>
      <p>
        Give it a name. The next page shows the two commands that push your code; Hythe builds it,
        starts it and puts it behind the load balancer.
      </p>
      <NewApp />
      <p className="hint">Or all from the command line, in the folder of your app:</p>
      <Commands
        lines={['hythe apps:create myapp', 'hythe git:remote -a myapp', 'git push hythe main']}
      />
    </div>
  )
}

function NewApp() {
  const [, go] = useLocation()
  const [name, setName] = useState('')
  const creation = useMutation({
    mutationFn: () => createApp(name.trim()),
    onSuccess: (app) => go(`/apps/${app.name}`),
  })
  const submit = (event: SubmitEvent) => {
    event.preventDefault()
    creation.mutate()
  }
  return (
    <form onSubmit={submit} className="form">
      <TextInput
        label="Name"
        description="Small letters, digits and hyphens. Left empty, Hythe makes one up."
        placeholder="myapp"
        data-autofocus
        autoComplete="off"
        spellCheck={false}
        value={name}
        onChange={(event) => setName(event.currentTarget.value)}
      />
      <ProblemNote error={creation.error} />
      <Button type="submit" loading={creation.isPending} className="form-button">
        Create app
      </Button>
    </form>
  )
}
