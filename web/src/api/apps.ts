/** What the pages know about apps: streams write it into the cache, changes go through the API. */

import { queryOptions, skipToken, useQuery, type QueryKey } from '@tanstack/react-query'
import { api, take } from './client'
import type { Problem } from './problem'
import { queries } from './session'
import type { AppSummary, AppState } from './shapes'
import type { StreamEvent } from './stream'
import { useStream } from './useStream'

const keys = {
  apps: ['apps'],
  app: (name: string) => ['app', name],
  config: (name: string) => ['app', name, 'config'],
}

interface Live<T> {
  data: T | undefined
  problem: Problem | null
  /** What was followed is there no more. */
  gone: boolean
}

/** A document that a stream keeps up to date in the cache under a key. */
function useLive<T>(key: QueryKey, url: string, event: string): Live<T> {
  const read = (events: StreamEvent[]) => {
    const newest = events.findLast((one) => one.type === event)
    if (newest) queries.setQueryData<T>(key, JSON.parse(newest.data) as T)
    return events.some((one) => one.type === 'gone') ? false : undefined
  }
  const { problem, connection } = useStream(url, read)
  const { data } = useQuery<T>({ queryKey: key, queryFn: skipToken })
  return { data, problem, gone: connection === 'ended' && !problem }
}

export function useApps() {
  return useLive<{ items: AppSummary[] }>(keys.apps, '/v1/apps/follow', 'apps')
}

export function useApp(name: string) {
  return useLive<AppState>(keys.app(name), `/v1/apps/${encodeURIComponent(name)}/follow`, 'app')
}

const of = (app: string) => ({ params: { path: { app } } })

export const createApp = (name: string) =>
  take(api.POST('/v1/apps', { body: { name: name || null } }))

export async function destroyApp(app: string): Promise<void> {
  const params = { path: { app }, query: { confirm: app } }
  await take(api.DELETE('/v1/apps/{app}', { params }))
  queries.setQueryData<{ items: AppSummary[] }>(
    keys.apps,
    (known) => known && { items: known.items.filter((one) => one.name !== app) },
  )
}

/** Scale one process type; the answer is the formation as it is then. */
export async function scale(app: string, process: string, quantity: number): Promise<void> {
  const body = { quantities: { [process]: quantity } }
  const formation = await take(api.PATCH('/v1/apps/{app}/formation', { ...of(app), body }))
  queries.setQueryData<AppState>(keys.app(app), (known) => known && { ...known, formation })
}

export const restart = (app: string) => take(api.POST('/v1/apps/{app}/restart', of(app)))

export const cancelBuild = (app: string, build: number) =>
  take(
    api.POST('/v1/apps/{app}/builds/{build_id}/cancel', {
      params: { path: { app, build_id: build } },
    }),
  )

export const rollback = (app: string, version: number) =>
  take(
    api.POST('/v1/apps/{app}/rollback', {
      ...of(app),
      body: { version, run_release_phase: false },
    }),
  )

export const diffQuery = (app: string, from: number, to: number) =>
  queryOptions({
    queryKey: ['app', app, 'diff', from, to],
    queryFn: () => {
      const params = { path: { app, version: from }, query: { to } }
      return take(api.GET('/v1/apps/{app}/releases/{version}/diff', { params }))
    },
    staleTime: Infinity, // releases never change
  })

/** The config, read again with each release, since others change it too. */
export const configQuery = (app: string, release: number | null) =>
  queryOptions({
    queryKey: [...keys.config(app), release],
    queryFn: () => take(api.GET('/v1/apps/{app}/config', of(app))),
    placeholderData: (known) => known,
    gcTime: 0, // secrets do not stay in memory longer than they are looked at
  })

export interface ConfigChange {
  vars: Record<string, string | null>
  build: boolean
}

export async function changeConfig(app: string, change: ConfigChange) {
  const changed = await take(api.PATCH('/v1/apps/{app}/config', { ...of(app), body: change }))
  const { vars, build_keys } = changed
  queries.setQueriesData({ queryKey: keys.config(app) }, { vars, build_keys })
  return changed
}

/** Releases beyond the newest ones that the stream tells. */
export const releasesQuery = (app: string, newest: number) =>
  queryOptions({
    queryKey: ['app', app, 'releases', newest],
    queryFn: () => {
      const params = { path: { app }, query: { limit: 1000 } }
      return take(api.GET('/v1/apps/{app}/releases', { params }))
    },
  })

export const deploymentQuery = (app: string, id: number) =>
  queryOptions({
    queryKey: ['app', app, 'deployment', id],
    queryFn: () => {
      const params = { path: { app, deployment_id: id } }
      return take(api.GET('/v1/apps/{app}/deployments/{deployment_id}', { params }))
    },
  })

export const createToken = (name: string) =>
  take(api.POST('/v1/tokens', { body: { name, scope: 'deploy' } }))
