import { Loader } from '@mantine/core'
import { lazy, Suspense, type ReactNode } from 'react'
import { Link, Redirect, Route, Switch, useLocation } from 'wouter'
import { useApp } from '../api/apps'
import type { AppState } from '../api/shapes'
import { Icon } from '../parts/Icon'
import { ProblemNote } from '../parts/ProblemNote'
import { State } from '../parts/State'
import { useTitle } from '../parts/useTitle'
import { appState } from '../text/states'
import Overview from './app/Overview'

const Releases = lazy(() => import('./app/Releases'))
const Config = lazy(() => import('./app/Config'))
const Logs = lazy(() => import('./app/Logs'))
const Settings = lazy(() => import('./app/Settings'))
const DeploymentPage = lazy(() => import('./app/DeploymentPage'))

const TABS = [
  ['', 'Overview'],
  ['/releases', 'Releases'],
  ['/config', 'Config'],
  ['/logs', 'Logs'],
  ['/settings', 'Settings'],
] as const

export default function AppPage({ name }: { name: string }) {
  const { data, problem, gone } = useApp(name)
  if (gone) return <Away title={`${name} was destroyed`} />
  if (problem)
    return <Away title="This app cannot be shown">{<ProblemNote error={problem} />}</Away>
  if (!data) return <Waiting />
  return <Tabs state={data} />
}

function Away({ title, children }: { title: string; children?: ReactNode }) {
  useTitle(title)
  return (
    <section className="page">
      <h1>{title}</h1>
      {children}
      <p>
        <Link href="/">All apps</Link>
      </p>
    </section>
  )
}

function Waiting() {
  return (
    <div className="waiting" aria-busy="true">
      <Loader size="sm" aria-label="Loading" />
    </div>
  )
}

function Tabs({ state }: { state: AppState }) {
  const name = state.app.name
  const base = `/apps/${name}`
  const [location] = useLocation()
  useTitle([shownPage(location), name].filter(Boolean).join(' · '))
  return (
    <section className="page">
      <Head state={state} />
      <nav className="tabs" aria-label={`Pages of ${name}`}>
        {TABS.map(([path, label]) => (
          <Tab key={path} href={base + path} exact={path === ''}>
            {label}
          </Tab>
        ))}
      </nav>
      <Suspense fallback={<Waiting />}>
        <Switch>
          <Route path="/apps/:app">
            <Overview state={state} />
          </Route>
          <Route path="/apps/:app/releases/:version?">
            {({ version }) => <Releases state={state} version={number(version)} />}
          </Route>
          <Route path="/apps/:app/config">
            <Config state={state} />
          </Route>
          <Route path="/apps/:app/logs">
            <Logs state={state} />
          </Route>
          <Route path="/apps/:app/settings">
            <Settings state={state} />
          </Route>
          <Route path="/apps/:app/deployments/:id">
            {({ id }) => <DeploymentPage key={id} state={state} id={number(id) ?? 0} />}
          </Route>
          <Route>
            <Redirect to={base} replace />
          </Route>
        </Switch>
      </Suspense>
    </section>
  )
}

/** What of the app an address is about; empty for the overview. */
function shownPage(location: string): string {
  const [, , , page, id] = location.split('/')
  if (page === 'deployments') return `Deployment ${id}`
  return (page && TABS.find(([path]) => path === `/${page}`)?.[1]) || ''
}

function number(text: string | undefined): number | null {
  return text && /^\d{1,9}$/.test(text) ? Number(text) : null
}

function Tab({ href, exact, children }: { href: string; exact: boolean; children: string }) {
  const [location] = useLocation()
  const here = location === href || (!exact && location.startsWith(`${href}/`))
  return (
    <Link href={href} aria-current={here ? 'page' : undefined} className="tab">
      {children}
    </Link>
  )
}

function Head({ state }: { state: AppState }) {
  const { app, deployments } = state
  const { word, tone } = appState(app)
  const running = deployments.items.find((one) => one.ended_at === null)
  return (
    <div className="app-head">
      <h1>{app.name}</h1>
      {running && tone === 'busy' ? (
        <Link href={`/apps/${app.name}/deployments/${running.id}`} className="app-running">
          <State tone={tone}>{word}</State>
          <span className="app-running-more">watch</span>
        </Link>
      ) : (
        <State tone={tone}>{word}</State>
      )}
      {app.release !== null && (
        <a href={app.url} target="_blank" rel="noreferrer" className="app-url">
          {app.url.replace(/^https?:\/\//, '')} <Icon name="out" size={13} />
        </a>
      )}
    </div>
  )
}
