import { expect, test } from 'vitest'
import { stepTimes, transcriptLine } from './transcript'

test('lines are told by their heads', () => {
  expect(transcriptLine('-----> Python app detected', 5)).toEqual({
    kind: 'step',
    text: 'Python app detected',
    at: 5,
  })
  expect(transcriptLine('=====> up', null).kind).toBe('done')
  expect(transcriptLine(' !     no', null)).toMatchObject({ kind: 'warning', text: 'no' })
  expect(transcriptLine('       a b', null)).toMatchObject({ kind: 'detail', text: 'a b' })
  expect(transcriptLine('anything', null)).toMatchObject({ kind: 'detail', text: 'anything' })
})

test('a step lasts until the next one', () => {
  const lines = [
    transcriptLine('-----> A', 100),
    transcriptLine('       a', 150),
    transcriptLine('-----> B', 400),
    transcriptLine('=====> C', 1000),
  ]
  expect([...stepTimes(lines)]).toEqual([
    [0, 300],
    [2, 600],
  ])
})

test('a step whose begin was not seen has no time', () => {
  const lines = [transcriptLine('-----> A', null), transcriptLine('-----> B', 10)]
  expect(stepTimes(lines).size).toBe(0)
})
