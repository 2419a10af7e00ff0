import type { ReactNode } from 'react'
import { Problem } from '../api/problem'

/** What went wrong and what to do about it, where it happened. */
export function ProblemNote({ error, children }: { error: unknown; children?: ReactNode }) {
  if (!error) return null
  const { code, cause, fix } = Problem.from(error)
  return (
    <div className="problem" role="alert">
      <p className="problem-cause">{cause}</p>
      <p className="problem-fix">{fix}</p>
      <code className="problem-code">{code}</code>
      {children}
    </div>
  )
}
