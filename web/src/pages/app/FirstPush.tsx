import { Button } from '@mantine/core'
import { useMutation } from '@tanstack/react-query'
import { createToken } from '../../api/apps'
import type { AppDetail } from '../../api/shapes'
import { Copy, Commands } from '../../parts/Copy'
import { ProblemNote } from '../../parts/ProblemNote'

/** What to do with an app that was never deployed. */
export function FirstPush({ app }: { app: AppDetail }) {
  return (
    <section className="card first" aria-labelledby="first">
      <h2 id="first">Push your code</h2>
      <p>In the folder of your app, a git repository:</p>
      <Commands
        lines={[
          `git remote add hythe ${app.git_url}`,
          app.deploy_branch === 'main'
            ? 'git push hythe main'
            : `git push hythe ${app.deploy_branch}`,
        ]}
      />
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
