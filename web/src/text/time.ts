/** Times in words, in the viewer's zone. Times are ISO 8601 text; now is in milliseconds. */

const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** `just now`, `40 s ago`, `5 min ago`, `3 h ago`, `2 d ago`, then the date. */
export function ago(iso: string, now: number): string {
  const passed = now - Date.parse(iso)
  if (Number.isNaN(passed)) return ''
  if (passed < 5 * SECOND) return 'just now' // clocks may differ a little
  if (passed < 14 * DAY) return `${span(passed)} ago`
  return new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium' }).format(Date.parse(iso))
}

/** How long something lasts, in one unit: `40 s`, `5 min`, `3 h`, `2 d`. */
export function span(milliseconds: number): string {
  const passed = Math.max(0, milliseconds)
  if (passed < MINUTE) return `${Math.floor(passed / SECOND)} s`
  if (passed < HOUR) return `${Math.floor(passed / MINUTE)} min`
  if (passed < DAY) return `${Math.floor(passed / HOUR)} h`
  return `${Math.floor(passed / DAY)} d`
}

/** What something took, to compare: `0.8 s`, `12.4 s`, `2 min 5 s`. */
export function took(milliseconds: number): string {
  const seconds = Math.max(0, milliseconds) / SECOND
  if (seconds < 59.95) return `${seconds.toFixed(1)} s`
  const whole = Math.round(seconds)
  return `${Math.floor(whole / 60)} min ${whole % 60} s`
}

/** Date, time and zone, for the hover. */
export function exact(iso: string): string {
  const time = Date.parse(iso)
  if (Number.isNaN(time)) return iso
  return new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'long' }).format(time)
}

const clockFormat = new Intl.DateTimeFormat('en-GB', { timeStyle: 'medium' })

/** `14:03:21`, for a line of a log. */
export function clock(iso: string): string {
  const time = Date.parse(iso)
  return Number.isNaN(time) ? '' : clockFormat.format(time)
}
