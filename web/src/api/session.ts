import { QueryClient, useQuery } from '@tanstack/react-query'
import { api, setCsrfToken, take } from './client'
import { Problem } from './problem'
import type { components } from './schema'

export type Session = components['schemas']['SessionAnswer']

export const queries = new QueryClient({
  defaultOptions: {
    queries: {
      retry: (count, error) => Problem.from(error).code === 'unreachable' && count < 20,
      retryDelay: (count) => Math.min(3000, 250 * 2 ** count),
      refetchOnWindowFocus: false,
      staleTime: 30_000,
    },
    mutations: {
      onError: (error) => {
        if (Problem.from(error).status === 401) endSession()
      },
    },
  },
})

const KEY = ['session']

/** The session, or null where nobody is signed in. */
async function current(): Promise<Session | null> {
  const { user, csrf_token } = await take(api.GET('/v1/session'))
  return user && began({ user, csrf_token })
}

function began(session: Session): Session {
  setCsrfToken(session.csrf_token)
  return session
}

export const sessionQuery = { queryKey: KEY, queryFn: current, staleTime: Infinity }

/** Whether there is no user yet. */
export const setupQuery = {
  queryKey: [...KEY, 'setup'],
  queryFn: () => take(api.GET('/v1/setup')),
}

export function useSession() {
  return useQuery(sessionQuery)
}

export async function signIn(name: string, password: string): Promise<void> {
  const session = await take(api.POST('/v1/session', { body: { name, password } }))
  queries.setQueryData(KEY, began(session))
}

export async function setUp(code: string, name: string, password: string): Promise<void> {
  const session = await take(api.POST('/v1/setup', { body: { code, name, password } }))
  queries.setQueryData(KEY, began(session))
}

export async function signOut(): Promise<void> {
  await take(api.DELETE('/v1/session'))
  endSession()
}

/** Forget everything of a session that is over; the page asks to sign in. */
export function endSession(): void {
  setCsrfToken('')
  queries.setQueryData(KEY, null)
  queries.removeQueries({ predicate: (query) => query.queryKey[0] !== KEY[0] })
}
