import { Button } from '@mantine/core'
import { useMutation } from '@tanstack/react-query'
import { createToken } from '../../api/apps'
import type { AppDetail } from '../../api/shapes'
import { Copy, Commands } from '../../parts/Copy'
import { ProblemNote } from '../../parts/ProblemNote'
import { firstPush, overTls, remote } from '../../text/firstPush'

/** What to do with an app that was never deployed. */
export function FirstPush({ app }: { app: AppDetail }) {
  return (
    <section className="card first" aria-labelledby="first">
      <h2 id="first">Push your code</h2>
      <p>In the folder of your app, a git repository:</p>
      <Commands lines={firstPush(app)} />
      {overTls(app) && (
        <p className="hint">
          <code>hythe login</code> asks for a token, and shows the fingerprint of the certificate:
          compare it with what <code>bin/up</code> shows on the machine that runs Hythe. From then
          on git trusts it too. If a known authority has signed the certificate, git alone will do:{' '}
          <code>{remote(app)}</code>
        </p>
      )}
      <Token app={app.name} />
      <p className="hint">
        This page turns into the live view as soon as the push arrives. No app at hand? Copy{' '}
        <code>examples/hello</code> of Hythe.
      </p>
    </section>
  )
}

function Token({ app }: { app: string }) {
  const making = useMutation({ mutationFn: () => createToken(`git push to ${app}`) })
  if (making.data)
    return (
      <div className="token">
        <p>
          Your token. It is shown only now; git asks for it as the password, with any user name.
        </p>
        <div className="with-copy">
          <code className="mono">{making.data.token}</code>
          <Copy text={making.data.token} what="the token" />
        </div>
      </div>
    )
  return (
    <div className="token">
      <p>
        git asks for a user name, which may be any, and for a password, which is a token of Hythe.
        Where <code>bin/hythe</code> is set up, <code>hythe git:remote -a {app}</code> answers for
        you.
      </p>
      <ProblemNote error={making.error} />
      <Button
        variant="default"
        size="xs"
        loading={making.isPending}
        onClick={() => making.mutate()}
      >
        Make a token for git
      </Button>
    </div>
  )
}
