import { expect, test } from 'vitest'
import { ago, exact, span, took } from './time'

const start = '2026-01-02T03:04:05Z'
const later = (seconds: number) => Date.parse(start) + seconds * 1000

test('times are told by their largest unit', () => {
  expect(ago(start, later(2))).toBe('just now')
  expect(ago(start, later(40))).toBe('40 s ago')
  expect(ago(start, later(59.9))).toBe('59 s ago')
  expect(ago(start, later(60))).toBe('1 min ago')
  expect(ago(start, later(3 * 3600 + 5))).toBe('3 h ago')
  expect(ago(start, later(2 * 86400))).toBe('2 d ago')
  expect(ago(start, later(30 * 86400))).toBe('2 Jan 2026')
})

test('a clock that is behind does not tell the future', () => {
  expect(ago(start, later(-30))).toBe('just now')
  expect(span(-1)).toBe('0 s')
})

test('durations keep what matters', () => {
  expect(took(840)).toBe('0.8 s')
  expect(took(59_949)).toBe('59.9 s')
  expect(took(59_960)).toBe('1 min 0 s')
  expect(took(125_000)).toBe('2 min 5 s')
})

test('what is no time is shown as it came, or not at all', () => {
  expect(ago('soon', later(0))).toBe('')
  expect(exact('soon')).toBe('soon')
})
