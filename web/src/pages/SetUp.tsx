import { Button, PasswordInput, TextInput } from '@mantine/core'
import { useMutation, useQuery } from '@tanstack/react-query'
import { useState, type SubmitEvent } from 'react'
import { Link, useLocation } from 'wouter'
import { api, take } from '../api/client'
import { setUp } from '../api/session'
import { Gateway } from '../parts/Gateway'
import { ProblemNote } from '../parts/ProblemNote'

/** The code of the link; it leaves the address bar and the history at once. */
function takeCode(): string {
  const code = new URLSearchParams(location.hash.slice(1)).get('code') ?? ''
  if (location.hash) history.replaceState(null, '', location.pathname)
  return code
}

const code = takeCode()

export default function SetUp() {
  const [, go] = useLocation()
  const [name, setName] = useState('')
  const [password, setPassword] = useState('')
  const entry = useMutation({
    mutationFn: () => setUp(code, name, password),
    onSuccess: () => go('/', { replace: true }),
  })
  const known = useQuery({
    queryKey: ['session', 'setup'],
    queryFn: () => take(api.GET('/v1/setup')),
  })
  if (!code) return <NoCode />
  const first = known.data?.needed ?? true
  const submit = (event: SubmitEvent) => {
    event.preventDefault()
    entry.mutate()
  }
  return (
    <Gateway title={first ? 'Set up Hythe' : 'Choose a new password'}>
      <p className="hint">
        {first
          ? 'Choose how you will sign in from now on.'
          : 'Your other sessions end, and the old password with them.'}{' '}
        The link that brought you here works once.
      </p>
      <form onSubmit={submit} className="form">
        <TextInput
          label="Name"
          autoComplete="username"
          autoFocus
          required
          withAsterisk={false}
          value={name}
          onChange={(event) => setName(event.currentTarget.value)}
        />
        <PasswordInput
          label="Password"
          description="At least 10 characters; four random words do well."
          autoComplete="new-password"
          required
          withAsterisk={false}
          value={password}
          onChange={(event) => setPassword(event.currentTarget.value)}
        />
        <ProblemNote error={entry.error} />
        <Button type="submit" loading={entry.isPending} fullWidth>
          {first ? 'Set up and sign in' : 'Save and sign in'}
        </Button>
      </form>
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
