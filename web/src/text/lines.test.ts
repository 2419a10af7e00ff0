import { expect, test } from 'vitest'
import { LineWindow } from './lines'

const numbers = (window: LineWindow<string>) => window.lines.map((one) => one.number)

test('the newest lines stay, under the numbers that they came with', () => {
  const window = new LineWindow<string>(3)
  window.add(['a', 'b'])
  window.add(['c', 'd'])
  expect(window.lines.map((one) => one.line)).toEqual(['b', 'c', 'd'])
  expect(numbers(window)).toEqual([1, 2, 3])
  expect(window.dropped).toBe(1)
})

test('while somebody reads, nothing moves, up to twice the limit', () => {
  const window = new LineWindow<string>(2)
  window.add(['a', 'b'])
  window.add(['c', 'd'], true)
  expect(numbers(window)).toEqual([0, 1, 2, 3])
  window.add(['e'], true)
  expect(numbers(window)).toEqual([3, 4])
  expect(window.dropped).toBe(3)
})

test('the array changes only when the lines do', () => {
  const window = new LineWindow<string>(2)
  window.add(['a'])
  const before = window.lines
  window.add([])
  expect(window.lines).toBe(before)
})

test('fifty thousand lines in batches are quick to take', () => {
  const window = new LineWindow<string>(50_000)
  for (let batch = 0; batch < 500; batch++) window.add(Array<string>(200).fill('line'))
  expect(window.lines.length).toBe(50_000)
  expect(window.dropped).toBe(50_000)
})
