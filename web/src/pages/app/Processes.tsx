import { ActionIcon, Button } from '@mantine/core'
import { useMutation } from '@tanstack/react-query'
import { useState } from 'react'
import { restart, scale } from '../../api/apps'
import type { Instance, Process } from '../../api/shapes'
import { Icon } from '../../parts/Icon'
import { ProblemNote } from '../../parts/ProblemNote'
import { State } from '../../parts/State'
import { Since, Until } from '../../parts/Time'
import { instanceState } from '../../text/states'
import { useSettled } from './useSettled'

const MANY = 12 // instances of a process type that are listed without being asked for

interface Props {
  app: string
  formation: Process[]
  instances: Instance[]
}

/** Process types with their steppers, and what runs of each. */
export function Processes({ app, formation, instances }: Props) {
  const again = useMutation({ mutationFn: () => restart(app) })
  const types = new Set(formation.map((one) => one.process))
  const others = instances.filter((one) => !types.has(one.process))
  return (
    <section aria-labelledby="processes">
      <div className="section-head">
        <h2 id="processes">Processes</h2>
        <Button
          variant="default"
          size="compact-sm"
          loading={again.isPending}
          disabled={!instances.length}
          onClick={() => again.mutate()}
        >
          Restart all
        </Button>
      </div>
      <ProblemNote error={again.error} />
      <div className="card">
        {formation.map((process) => (
          <ProcessType
            key={process.process}
            app={app}
            process={process}
            instances={instances.filter((one) => one.process === process.process)}
          />
        ))}
        {others.length > 0 && <Instances instances={others} />}
        {!formation.length && (
          <p className="card-note">Process types appear with the first build.</p>
        )}
      </div>
    </section>
  )
}

interface OneProps {
  app: string
  process: Process
  instances: Instance[]
}

function ProcessType({ app, process, instances }: OneProps) {
  const { value, change, problem } = useSettled(process.quantity, (quantity) =>
    scale(app, process.process, quantity),
  )
  return (
    <div className="process">
      <div className="process-head">
        <div className="process-what">
          <h3>{process.process}</h3>
          <code className="process-command">{process.command ?? 'the command of the image'}</code>
        </div>
        <div className="stepper" role="group" aria-label={`Instances of ${process.process}`}>
          <ActionIcon
            variant="default"
            size={30}
            aria-label={`One ${process.process} less`}
            disabled={value <= 0}
            onClick={() => change(value - 1)}
          >
            <Icon name="minus" />
          </ActionIcon>
          <output aria-label={`${process.process} instances wanted`}>{value}</output>
          <ActionIcon
            variant="default"
            size={30}
            aria-label={`One ${process.process} more`}
            onClick={() => change(value + 1)}
          >
            <Icon name="plus" />
          </ActionIcon>
        </div>
      </div>
      <ProblemNote error={problem} />
      <Instances instances={instances} />
    </div>
  )
}

function Instances({ instances }: { instances: Instance[] }) {
  const [all, setAll] = useState(false)
  if (!instances.length) return null
  const shown = all || instances.length <= MANY ? instances : instances.slice(0, MANY - 1)
  const rest = instances.slice(shown.length)
  return (
    <>
      <ul className="instances">
        {shown.map((one) => (
          <InstanceRow key={`${one.name} ${one.deployment_id}`} instance={one} />
        ))}
      </ul>
      {rest.length > 0 && (
        <Button variant="subtle" size="compact-sm" onClick={() => setAll(true)}>
          {rest.length} more, {rest.filter((one) => one.state === 'up').length} of them up
        </Button>
      )}
    </>
  )
}

function InstanceRow({ instance }: { instance: Instance }) {
  const { word, tone } = instanceState(instance.state)
  return (
    <li className="instance" data-instance={instance.name} data-state={instance.state}>
      <span className="mono">{instance.name}</span>
      <State tone={tone}>{word}</State>
      <span className="muted instance-since">
        for <Since at={instance.since} />
      </span>
      <span className="muted">{instance.release === null ? '' : `v${instance.release}`}</span>
      {instance.crashes > 0 && (
        <span className="instance-crash">
          {instance.crashes === 1 ? '1 crash' : `${instance.crashes} crashes in a row`}
          {instance.exit_code !== null && `, exit code ${instance.exit_code}`}
          {instance.retry_at && instance.state === 'crashed' && (
            <>
              , starts again <Until at={instance.retry_at} />
            </>
          )}
        </span>
      )}
    </li>
  )
}
