import { Button, Modal, TextInput } from '@mantine/core'
import { useMutation } from '@tanstack/react-query'
import { useState, type SubmitEvent } from 'react'
import { useLocation } from 'wouter'
import { destroyApp } from '../../api/apps'
import type { AppState } from '../../api/shapes'
import { ProblemNote } from '../../parts/ProblemNote'

export default function Settings({ state: { app } }: { state: AppState }) {
  const [asking, setAsking] = useState(false)
  return (
    <section className="card danger" aria-labelledby="destroy">
      <div>
        <h2 id="destroy">Destroy {app.name}</h2>
        <p>
          Its instances stop, and its releases, config, logs and repository are deleted for good.
        </p>
      </div>
      <Button color="red" variant="outline" onClick={() => setAsking(true)}>
        Destroy…
      </Button>
      <Modal opened={asking} onClose={() => setAsking(false)} title={`Destroy ${app.name}?`}>
        <Confirmation name={app.name} />
      </Modal>
    </section>
  )
}

function Confirmation({ name }: { name: string }) {
  const [, go] = useLocation()
  const [typed, setTyped] = useState('')
  const end = useMutation({ mutationFn: () => destroyApp(name), onSuccess: () => go('/') })
  const submit = (event: SubmitEvent) => {
    event.preventDefault()
    if (typed === name) end.mutate()
  }
  return (
    <form onSubmit={submit} className="form">
      <p>Nothing brings it back. Type its name to go on.</p>
      <TextInput
        label={`Type ${name}`}
        data-autofocus
        autoComplete="off"
        spellCheck={false}
        value={typed}
        onChange={(event) => setTyped(event.currentTarget.value)}
      />
      <ProblemNote error={end.error} />
      <Button type="submit" color="red" disabled={typed !== name} loading={end.isPending}>
        Destroy {name}
      </Button>
    </form>
  )
}
