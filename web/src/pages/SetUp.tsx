import { useQuery } from '@tanstack/react-query'
import { Link, useLocation } from 'wouter'
import { setUp, setupQuery } from '../api/session'
import { Credentials } from '../parts/Credentials'
import { Gateway } from '../parts/Gateway'

/** The code of the link; it leaves the address bar and the history at once. */
function takeCode(): string {
  const code = new URLSearchParams(location.hash.slice(1)).get('code') ?? ''
  if (location.hash) history.replaceState(null, '', location.pathname)
  return code
}

const code = takeCode()

export default function SetUp() {
  const [, go] = useLocation()
  const known = useQuery(setupQuery)
  if (!code) return <NoCode />
  const first = known.data?.needed ?? true
  return (
    <Gateway title={first ? 'Set up Hythe' : 'Choose a new password'}>
      <p className="hint">
        {first
          ? 'Choose how you will sign in from now on.'
          : 'Your other sessions end, and the old password with them.'}{' '}
        The link that brought you here works once.
      </p>
      <Credentials
        send={async (name, password) => {
          await setUp(code, name, password)
          go('/', { replace: true })
        }}
        button={first ? 'Set up and sign in' : 'Save and sign in'}
        password={{
          autoComplete: 'new-password',
          description: 'At least 10 characters; four random words do well.',
        }}
      />
    </Gateway>
  )
}

function NoCode() {
  return (
    <Gateway title="This link is not complete">
      <p>
        The set-up link that <code>bin/up</code> prints ends in <code>#code=…</code>. Open all of
        it.
      </p>
      <p>
        <Link href="/">Sign in instead</Link>
      </p>
    </Gateway>
  )
}
