import type { components } from './schema'

type Schemas = components['schemas']

export type AppSummary = Schemas['AppAnswer']
export type AppDetail = Schemas['AppDetail']
export type Process = Schemas['ProcessAnswer']
export type Instance = Schemas['InstanceAnswer']
export type Deployment = Schemas['DeploymentAnswer']
export type Release = Schemas['ReleaseAnswer']
export type ReleaseDiff = Schemas['ReleaseDiff']
export type Config = Schemas['ConfigAnswer']
export type LogLine = Schemas['LogAnswer']
export type MintedToken = Schemas['MintedToken']
export type AppState = Schemas['AppState']
