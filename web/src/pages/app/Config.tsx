import {
  ActionIcon,
  Button,
  Checkbox,
  Modal,
  Skeleton,
  Textarea,
  TextInput,
  Tooltip,
} from '@mantine/core'
import { useMutation, useQuery } from '@tanstack/react-query'
import { useState, type SubmitEvent } from 'react'
import { Link } from 'wouter'
import { changeConfig, configQuery, type ConfigChange } from '../../api/apps'
import type { AppState } from '../../api/shapes'
import { Copy } from '../../parts/Copy'
import { Icon } from '../../parts/Icon'
import { ProblemNote } from '../../parts/ProblemNote'

type Editing = { key: string; value: string; build: boolean } | 'new' | null

export default function Config({ state }: { state: AppState }) {
  const app = state.app.name
  const newest = state.releases.items[0]?.version ?? null
  const { data, error } = useQuery(configQuery(app, newest))
  const [editing, setEditing] = useState<Editing>(null)
  const [removing, setRemoving] = useState<string | null>(null)
  const [made, setMade] = useState<number | null>(null)
  const change = useMutation({
    mutationFn: (wanted: ConfigChange) => changeConfig(app, wanted),
    onSuccess: ({ deployment }) => {
      setMade(deployment?.id ?? null)
      setEditing(null)
      setRemoving(null)
    },
  })
  const close = () => {
    change.reset()
    setEditing(null)
    setRemoving(null)
  }
  if (error) return <ProblemNote error={error} />
  const vars = Object.entries(data?.vars ?? {})
  return (
    <>
      <div className="section-head">
        <p className="hint">
          Environment variables, encrypted on disk.{' '}
          {newest === null
            ? 'The first release takes them along.'
            : 'Each change makes a release and restarts the app.'}
        </p>
        <Button size="xs" leftSection={<Icon name="plus" />} onClick={() => setEditing('new')}>
          Add a variable
        </Button>
      </div>
      {made !== null && (
        <p className="notice" role="status">
          Saved. A new release is on its way:{' '}
          <Link href={`/apps/${app}/deployments/${made}`}>watch it start</Link>.
        </p>
      )}
      <div className="card">
        {!data && <Skeleton height={48} radius={0} />}
        {data && !vars.length && <p className="card-note">No variables yet.</p>}
        {vars.length > 0 && (
          <ul className="config" aria-label="Config variables">
            {vars.map(([key, value]) => (
              <Variable
                key={key}
                name={key}
                value={value}
                build={data?.build_keys.includes(key) ?? false}
                onEdit={(build) => setEditing({ key, value, build })}
                onRemove={() => setRemoving(key)}
              />
            ))}
          </ul>
        )}
      </div>
      <Modal
        opened={editing !== null}
        onClose={close}
        title={editing === 'new' ? 'Add a variable' : 'Change a variable'}
      >
        {editing && (
          <VariableForm
            start={editing === 'new' ? { key: '', value: '', build: false } : editing}
            fixed={editing !== 'new'}
            saving={change.isPending}
            error={change.error}
            restarts={newest !== null}
            onSave={(key, value, build) => change.mutate({ vars: { [key]: value }, build })}
          />
        )}
      </Modal>
      <Modal opened={removing !== null} onClose={close} title={`Remove ${removing ?? ''}?`}>
        <p className="hint">
          {newest === null
            ? 'Its value is deleted.'
            : 'That makes a release without it and restarts the app.'}
        </p>
        <ProblemNote error={change.error} />
        <Button
          color="red"
          mt="md"
          data-autofocus
          loading={change.isPending}
          onClick={() => removing && change.mutate({ vars: { [removing]: null }, build: false })}
        >
          Remove {removing}
        </Button>
      </Modal>
    </>
  )
}

interface VariableProps {
  name: string
  value: string
  build: boolean
  onEdit: (build: boolean) => void
  onRemove: () => void
}

function Variable({ name, value, build, onEdit, onRemove }: VariableProps) {
  const [shown, setShown] = useState(false)
  return (
    <li className="variable">
      <span className="variable-name mono">
        {name}
        {build && <span className="tag">in builds</span>}
      </span>
      <span className="variable-value mono">
        {shown ? value : <span aria-label="hidden value">••••••••••••</span>}
      </span>
      <span className="variable-actions">
        <Act label={shown ? `Hide ${name}` : `Show ${name}`} onClick={() => setShown(!shown)}>
          <Icon name={shown ? 'hidden' : 'eye'} />
        </Act>
        <Copy text={value} what={name} />
        <Act label={`Change ${name}`} onClick={() => onEdit(build)}>
          <Icon name="edit" />
        </Act>
        <Act label={`Remove ${name}`} onClick={onRemove}>
          <Icon name="cross" />
        </Act>
      </span>
    </li>
  )
}

function Act(props: { label: string; onClick: () => void; children: React.ReactNode }) {
  return (
    <Tooltip label={props.label}>
      <ActionIcon variant="subtle" color="gray" aria-label={props.label} onClick={props.onClick}>
        {props.children}
      </ActionIcon>
    </Tooltip>
  )
}

interface FormProps {
  start: { key: string; value: string; build: boolean }
  /** The key exists, only its value changes. */
  fixed: boolean
  restarts: boolean
  saving: boolean
  error: unknown
  onSave: (key: string, value: string, build: boolean) => void
}

function VariableForm({ start, fixed, restarts, saving, error, onSave }: FormProps) {
  const [key, setKey] = useState(start.key)
  const [value, setValue] = useState(start.value)
  const [build, setBuild] = useState(start.build)
  const submit = (event: SubmitEvent) => {
    event.preventDefault()
    onSave(key.trim(), value, build)
  }
  return (
    <form onSubmit={submit} className="form">
      <TextInput
        label="Name"
        placeholder="DATABASE_URL"
        required
        withAsterisk={false}
        readOnly={fixed}
        data-autofocus={!fixed || undefined}
        autoComplete="off"
        spellCheck={false}
        classNames={{ input: 'mono' }}
        value={key}
        onChange={(event) => setKey(event.currentTarget.value)}
      />
      <Textarea
        label="Value"
        rows={4}
        resize="vertical"
        data-autofocus={fixed || undefined}
        autoComplete="off"
        spellCheck={false}
        classNames={{ input: 'mono' }}
        value={value}
        onChange={(event) => setValue(event.currentTarget.value)}
      />
      {(!fixed || !start.build) && (
        <Checkbox
          label="Builds may see it"
          description="Secrets that only the running app needs stay out of builds."
          checked={build}
          onChange={(event) => setBuild(event.currentTarget.checked)}
        />
      )}
      <ProblemNote error={error} />
      <Button type="submit" loading={saving}>
        {restarts ? 'Save and restart' : 'Save'}
      </Button>
    </form>
  )
}
