import { Button, Menu, useMantineColorScheme, type MantineColorScheme } from '@mantine/core'
import { useMutation } from '@tanstack/react-query'
import { useEffect, useRef, type ReactNode } from 'react'
import { Link, useLocation } from 'wouter'
import { useReconnecting } from '../api/connections'
import { signOut, type Session } from '../api/session'
import { Icon, Mark } from './Icon'
import { Failure } from './Failure'

/** What surrounds every page: where one is, whether it is live, who one is. */
export function Shell({ session, children }: { session: Session; children: ReactNode }) {
  const [location] = useLocation()
  return (
    <>
      <a className="skip" href="#main">
        Skip to the content
      </a>
      <header className="bar">
        <div className="bar-inner">
          <Link href="/" className="brand" aria-label="Hythe, all apps">
            <Mark />
            <span>hythe</span>
          </Link>
          <Trail location={location} />
          <Reconnecting />
          <UserMenu name={session.user.name} />
        </div>
      </header>
      <Content location={location}>{children}</Content>
    </>
  )
}

function Content({ location, children }: { location: string; children: ReactNode }) {
  const main = useRef<HTMLElement>(null)
  const shown = useRef(location)
  const app = location.split('/')[2] ?? ''
  useEffect(() => {
    // Another page starts at its top, for whoever reads with the keyboard or a screen reader too.
    // A release that is opened in the list is on the same page.
    if (shown.current === location) return
    if (pageOf(shown.current) !== pageOf(location)) main.current?.focus({ preventScroll: true })
    shown.current = location
    window.scrollTo(0, 0)
  }, [location])
  return (
    <main id="main" ref={main} tabIndex={-1}>
      <Failure place={location} key={app}>
        {children}
      </Failure>
    </main>
  )
}

function pageOf(location: string): string {
  return location.replace(/(\/releases)\/.*/, '$1')
}

function Trail({ location }: { location: string }) {
  const [, , app] = location.split('/')
  return (
    <nav className="trail" aria-label="You are here">
      {app ? (
        <>
          <Link href="/">Apps</Link>
          <span aria-hidden="true">/</span>
          <Link href={`/apps/${app}`} className="trail-app">
            {app}
          </Link>
        </>
      ) : null}
    </nav>
  )
}

function Reconnecting() {
  const lost = useReconnecting()
  return (
    <div role="status" className="reconnecting-place">
      {lost && <span className="reconnecting">Reconnecting</span>}
    </div>
  )
}

const SCHEMES: [MantineColorScheme, string][] = [
  ['auto', 'As the system'],
  ['light', 'Light'],
  ['dark', 'Dark'],
]

function UserMenu({ name }: { name: string }) {
  const { colorScheme, setColorScheme } = useMantineColorScheme()
  const leave = useMutation({ mutationFn: signOut })
  return (
    <Menu position="bottom-end" width={190} shadow="md">
      <Menu.Target>
        <Button
          variant="subtle"
          color="gray"
          size="compact-sm"
          className="user"
          leftSection={<Icon name="person" />}
        >
          <span className="user-name">{name}</span>
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>Colours</Menu.Label>
        {SCHEMES.map(([scheme, label]) => (
          <Menu.Item
            key={scheme}
            onClick={() => setColorScheme(scheme)}
            rightSection={scheme === colorScheme ? <Icon name="check" /> : null}
            aria-current={scheme === colorScheme}
          >
            {label}
          </Menu.Item>
        ))}
        <Menu.Divider />
        <Menu.Item onClick={() => leave.mutate()}>Sign out</Menu.Item>
      </Menu.Dropdown>
    </Menu>
  )
}
