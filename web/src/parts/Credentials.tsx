import { Button, PasswordInput, TextInput } from '@mantine/core'
import { useMutation } from '@tanstack/react-query'
import { useState, type SubmitEvent } from 'react'
import { ProblemNote } from './ProblemNote'

interface Asked {
  send: (name: string, password: string) => Promise<void>
  button: string
  /** What the browser's password manager does, and what to say about the password. */
  password: { autoComplete: 'current-password' | 'new-password'; description?: string }
}

/** Asks for a name and a password, and sends them. */
export function Credentials({ send, button, password: about }: Asked) {
  const [name, setName] = useState('')
  const [password, setPassword] = useState('')
  const entry = useMutation({ mutationFn: () => send(name, password) })
  const submit = (event: SubmitEvent) => {
    event.preventDefault()
    entry.mutate()
  }
  return (
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
        required
        withAsterisk={false}
        value={password}
        onChange={(event) => setPassword(event.currentTarget.value)}
        {...about}
      />
      <ProblemNote error={entry.error} />
      <Button type="submit" loading={entry.isPending} fullWidth>
        {button}
      </Button>
    </form>
  )
}
