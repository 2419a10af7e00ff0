import type { ReactNode } from 'react'
import { Mark } from './Icon'
import { useTitle } from './useTitle'

/** A page for those who are not signed in. */
export function Gateway({ title, children }: { title: string; children: ReactNode }) {
  useTitle(title)
  return (
    <main className="gateway" id="main">
      <div className="gateway-brand">
        <Mark size={36} />
        <span>hythe</span>
      </div>
      <section className="card gateway-card">
        <h1>{title}</h1>
        {children}
      </section>
    </main>
  )
}
