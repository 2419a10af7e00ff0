import { expect, test } from 'vitest'
import { appState, deploymentState } from './states'

const word = (state: 'live' | 'stopped' | 'empty', up: number, crashed = 0) =>
  appState({ state, instances: { wanted: 2, up, crashed } }).word

test('an app that serves tells when it lacks instances', () => {
  expect(word('live', 2)).toBe('Up')
  expect(word('live', 1)).toBe('Starting')
  expect(word('live', 1, 1)).toBe('Degraded')
})

test('an app that does not serve has its own word', () => {
  expect(word('stopped', 0)).toBe('Stopped')
  expect(word('empty', 0)).toBe('No release yet')
})

test('a state that is not known is shown as it is', () => {
  expect(deploymentState('frozen')).toEqual({ word: 'frozen', tone: 'idle' })
})
