import { Button, PasswordInput, TextInput } from '@mantine/core'
import { useMutation, useQuery } from '@tanstack/react-query'
import { useState, type SubmitEvent } from 'react'
import { api, take } from '../api/client'
import { signIn } from '../api/session'
import { Commands } from '../parts/Copy'
import { ProblemNote } from '../parts/ProblemNote'
import { Gateway } from '../parts/Gateway'

export default function SignIn() {
  const setup = useQuery({
    queryKey: ['session', 'setup'],
    queryFn: () => take(api.GET('/v1/setup')),
  })
  if (setup.data?.needed) return <Unused />
  return <Form />
}

/** Nobody can sign in yet. */
function Unused() {
  return (
    <Gateway title="Open the set-up link">
      <p>
        Nobody has signed in here yet. <code>bin/up</code> prints a link that works once, and with
        it you choose a name and a password.
      </p>
      <p className="hint">For another link, type on the machine that runs Hythe:</p>
      <Commands lines={['bin/hythe setup:link']} what="the command" />
    </Gateway>
  )
}

function Form() {
  const [name, setName] = useState('')
  const [password, setPassword] = useState('')
  const entry = useMutation({ mutationFn: () => signIn(name, password) })
  const submit = (event: SubmitEvent) => {
    event.preventDefault()
    entry.mutate()
  }
  return (
    <Gateway title="Sign in">
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
          autoComplete="current-password"
          required
          withAsterisk={false}
          value={password}
          onChange={(event) => setPassword(event.currentTarget.value)}
        />
        <ProblemNote error={entry.error} />
        <Button type="submit" loading={entry.isPending} fullWidth>
          Sign in
        </Button>
      </form>
      <p className="hint">
        Forgotten? <code>bin/hythe setup:link</code>, typed on the machine that runs Hythe, makes a
        link to choose a new password.
      </p>
    </Gateway>
  )
}
