import { expect, test } from 'vitest'
import { find, parseAnsi, stripAnsi } from './ansi'

const ESC = '\x1b['

test('plain text is one segment', () => {
  expect(parseAnsi('hello')).toEqual([{ text: 'hello', className: '' }])
})

test('colours and marks last until they are reset', () => {
  const segments = parseAnsi(`${ESC}1;31mred${ESC}22mthin${ESC}0m plain`)
  expect(segments.map((one) => [one.text, one.className])).toEqual([
    ['red', 'c1 bold'],
    ['thin', 'c1'],
    [' plain', ''],
  ])
})

test('bright, 256 and full colours', () => {
  const [bright, cube, full, grey] = parseAnsi(
    `${ESC}91ma${ESC}38;5;196mb${ESC}38;2;1;2;300mc${ESC}38;5;232md`,
  )
  expect(bright?.className).toBe('c9')
  expect(cube).toMatchObject({ className: '', color: 'rgb(255 0 0)' })
  expect(full?.color).toBe('rgb(1 2 255)')
  expect(grey?.color).toBe('rgb(8 8 8)')
})

test('cursor movements, titles and links leave no trace', () => {
  const line = `${ESC}2K\x1b]0;title\x07a\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\${ESC}1Gb`
  expect(stripAnsi(line)).toBe('alinkb')
  expect(
    parseAnsi(line)
      .map((one) => one.text)
      .join(''),
  ).toBe('alinkb')
})

test('of a progress bar the last state stays', () => {
  expect(stripAnsi('10 %\r50 %\r100 %\r')).toBe('100 %')
})

test('markup stays text', () => {
  expect(parseAnsi('<img src=x onerror=alert(1)>')[0]?.text).toBe('<img src=x onerror=alert(1)>')
})

test('an escape that is cut off does not swallow what follows', () => {
  expect(stripAnsi(`${ESC}31`)).toBe('[31')
  expect(stripAnsi('a\x1b')).toBe('a')
})

test('what is looked for is found across colours', () => {
  const parts = find(parseAnsi(`${ESC}31mAsked${ESC}0m for it, asked for more`), 'asked for')
  expect(parts.map((one) => [one.text, one.className, one.found])).toEqual([
    ['Asked', 'c1', true],
    [' for', '', true],
    [' it, ', '', false],
    ['asked for', '', true],
    [' more', '', false],
  ])
})

test('what is not there marks nothing', () => {
  expect(find(parseAnsi('abc'), 'x')).toEqual([{ text: 'abc', className: '', found: false }])
})
