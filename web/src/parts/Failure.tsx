import { Button } from '@mantine/core'
import { Component, type ReactNode } from 'react'
import { ProblemNote } from './ProblemNote'

interface Props {
  /** Another place to be in; a change of it tries again. */
  place: string
  children: ReactNode
}

/** Shows what went wrong in a part of the page, and leaves the rest usable. */
export class Failure extends Component<Props, { error: unknown; place: string }> {
  state = { error: null as unknown, place: this.props.place }

  static getDerivedStateFromError(error: unknown) {
    return { error }
  }

  static getDerivedStateFromProps(props: Props, state: { error: unknown; place: string }) {
    return props.place === state.place ? null : { error: null, place: props.place }
  }

  render() {
    if (this.state.error === null) return this.props.children
    return (
      <section className="page">
        <h1>This page failed</h1>
        <ProblemNote error={this.state.error}>
          <Button size="xs" variant="default" mt="sm" onClick={() => location.reload()}>
            Load it again
          </Button>
        </ProblemNote>
      </section>
    )
  }
}
