/** A window onto an endless list of lines: the newest ones, each with a number that stays its own. */

export interface Numbered<T> {
  number: number
  line: T
}

export class LineWindow<T> {
  private kept: Numbered<T>[] = []
  private next = 0
  /** How many lines came before the window. */
  dropped = 0

  constructor(readonly limit: number) {}

  /** The lines in the window; the same array until something changes. */
  get lines(): readonly Numbered<T>[] {
    return this.kept
  }

  /** Add lines. With hold, up to twice the limit stays, so that what is being read does not move. */
  add(lines: readonly T[], hold = false): void {
    if (!lines.length) return
    const kept = this.kept.concat(lines.map((line) => ({ number: this.next++, line })))
    const most = hold ? 2 * this.limit : this.limit
    const over = kept.length > most ? kept.length - this.limit : 0
    this.dropped += over
    this.kept = over ? kept.slice(over) : kept
  }
}
