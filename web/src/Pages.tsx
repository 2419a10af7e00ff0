import { Button, Loader } from '@mantine/core'
import { lazy, Suspense } from 'react'
import { Link, Route, Switch, useLocation } from 'wouter'
import { useSession } from './api/session'
import AppList from './pages/AppList' // not lazy: most visits begin there
import { Gateway } from './parts/Gateway'
import { ProblemNote } from './parts/ProblemNote'
import { Shell } from './parts/Shell'
import { useTitle } from './parts/useTitle'

const loadApp = () => import('./pages/AppPage')
const AppPage = lazy(loadApp)
const SetUp = lazy(() => import('./pages/SetUp'))
const SignIn = lazy(() => import('./pages/SignIn'))

/** Fetch the page of an address while the session is asked for; it is needed in most cases. */
export async function loadAhead(path: string): Promise<void> {
  if (path.startsWith('/apps/')) await loadApp()
}

export function Pages() {
  const [location] = useLocation()
  return (
    <Suspense fallback={<Waiting />}>{location === '/setup' ? <SetUp /> : <Signed />}</Suspense>
  )
}

/** The pages behind the sign-in. */
function Signed() {
  const session = useSession()
  if (session.isPending) return <Waiting reason={session.failureReason} />
  if (session.isError)
    return (
      <Gateway title="Hythe does not answer">
        <ProblemNote error={session.error} />
        <Button variant="default" mt="md" onClick={() => void session.refetch()}>
          Try again
        </Button>
      </Gateway>
    )
  if (session.data === null) return <SignIn />
  return (
    <Shell session={session.data}>
      <Suspense fallback={<Waiting />}>
        <Switch>
          <Route path="/" component={AppList} />
          <Route path="/apps/:app/*?">{({ app }) => <AppPage key={app} name={app} />}</Route>
          <Route component={Nowhere} />
        </Switch>
      </Suspense>
    </Shell>
  )
}

function Waiting({ reason }: { reason?: unknown }) {
  return (
    <div className="waiting" aria-busy="true">
      <Loader size="sm" aria-label="Loading" />
      {reason ? <p className="hint">The control plane does not answer yet.</p> : null}
    </div>
  )
}

function Nowhere() {
  const title = 'There is no such page'
  useTitle(title)
  return (
    <section className="page">
      <h1>{title}</h1>
      <p>
        <Link href="/">All apps</Link>
      </p>
    </section>
  )
}
