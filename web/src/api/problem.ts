/** What went wrong, in the shape of the API's problem documents: a code, the cause and a fix. */

export class Problem extends Error {
  constructor(
    readonly code: string,
    readonly cause: string,
    readonly fix: string,
    readonly status = 0,
  ) {
    super(`${cause} ${fix}`)
    this.name = 'Problem'
  }

  /** The problem of an answer that is not a success. */
  static of(status: number, body: unknown): Problem {
    if (isDocument(body)) return new Problem(body.code, body.detail, body.fix, status)
    return new Problem(
      'unexpected-answer',
      `The control plane answered ${status}.`,
      'Look into its log: control-plane-process.log in the logs folder.',
      status,
    )
  }

  /** Any error as a problem; what fetch throws means that nobody answered. */
  static from(error: unknown): Problem {
    if (error instanceof Problem) return error
    if (error instanceof TypeError)
      return new Problem(
        'unreachable',
        'The control plane does not answer.',
        'Wait a moment if it is restarting; otherwise run bin/up.',
      )
    return new Problem(
      'dashboard',
      `The dashboard failed: ${String(error)}`,
      'Load the page again.',
    )
  }
}

type Document = Record<'code' | 'detail' | 'fix', string>

function isDocument(body: unknown): body is Document {
  return (
    typeof body === 'object' &&
    body !== null &&
    ['code', 'detail', 'fix'].every((key) => typeof Reflect.get(body, key) === 'string')
  )
}
