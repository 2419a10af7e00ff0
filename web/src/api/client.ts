import createClient from 'openapi-fetch'
import { Problem } from './problem'
import type { paths } from './schema'

let csrfToken = ''

/** Requests that change something carry the session's token, which other sites cannot read. */
export function setCsrfToken(token: string): void {
  csrfToken = token
}

export const api = createClient<paths>({ baseUrl: location.origin })

api.use({
  onRequest({ request }) {
    if (request.method !== 'GET') request.headers.set('X-CSRF-Token', csrfToken)
  },
})

interface Answered<T> {
  data?: T
  error?: unknown
  response: Response
}

/** The data of an answer; throws Problem. */
export async function take<T>(asked: Promise<Answered<T>>): Promise<T> {
  let answered: Answered<T>
  try {
    answered = await asked
  } catch (error) {
    throw Problem.from(error)
  }
  const { data, error, response } = answered
  if (!response.ok) throw Problem.of(response.status, error)
  return data as T
}
