/** States of the API in words for people, with the tone in which they are shown. */

import type { AppSummary, Deployment, Release } from '../api/shapes'
import type { Tone } from '../parts/State'

export interface Said {
  word: string
  tone: Tone
}

const DEPLOYMENT: Record<string, Said> = {
  fetching: { word: 'Fetching', tone: 'busy' },
  queued: { word: 'Queued', tone: 'busy' },
  building: { word: 'Building', tone: 'busy' },
  built: { word: 'Built', tone: 'busy' },
  releasing: { word: 'Releasing', tone: 'busy' },
  rolling: { word: 'Starting', tone: 'busy' },
  live: { word: 'Live', tone: 'good' },
  failed: { word: 'Failed', tone: 'bad' },
  superseded: { word: 'Superseded', tone: 'idle' },
  canceled: { word: 'Canceled', tone: 'idle' },
}

const INSTANCE: Record<string, Said> = {
  pending: { word: 'Pending', tone: 'busy' },
  starting: { word: 'Starting', tone: 'busy' },
  up: { word: 'Up', tone: 'good' },
  draining: { word: 'Draining', tone: 'idle' },
  crashed: { word: 'Crashed', tone: 'bad' },
}

export function deploymentState(status: string): Said {
  return DEPLOYMENT[status] ?? { word: status, tone: 'idle' }
}

export function instanceState(state: string): Said {
  return INSTANCE[state] ?? { word: state, tone: 'idle' }
}

const APP: Record<AppSummary['state'], Said> = {
  empty: { word: 'No release yet', tone: 'idle' },
  deploying: { word: 'Deploying', tone: 'busy' },
  live: { word: 'Up', tone: 'good' },
  stopped: { word: 'Stopped', tone: 'idle' },
  asleep: { word: 'Asleep', tone: 'idle' },
  crashed: { word: 'Crashed', tone: 'bad' },
  failed: { word: 'Failed', tone: 'bad' },
}

/** An app's state; one that serves may still lack instances. */
export function appState({ state, instances }: Pick<AppSummary, 'state' | 'instances'>): Said {
  if (state !== 'live' || instances.up >= instances.wanted) return APP[state]
  return instances.crashed ? { word: 'Degraded', tone: 'bad' } : { word: 'Starting', tone: 'busy' }
}

/** What a deployment is called: new code by its commit message, the rest by what was done. */
export function deploymentTitle({ kind, source, description }: Deployment): string {
  const code = ['push', 'upload', 'git', 'commit'].includes(kind)
  return (code && source?.message) || description || kind
}

/** The same for a release, whose build tells that it brought new code. */
export function releaseTitle({ description, source }: Release): string {
  return (description.startsWith('Deploy ') && source?.message) || description
}
