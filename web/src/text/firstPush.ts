/** What to type for the first push of an app, in its repository. */

interface Target {
  name: string
  git_url: string
  deploy_branch: string
}

/** Any git can push; where a certificate is in between, `hythe` knows how git shall trust it. */
export function firstPush(app: Target): string[] {
  const push = `git push hythe ${app.deploy_branch}`
  return overTls(app)
    ? [`hythe login ${new URL(app.git_url).origin}`, `hythe git:remote -a ${app.name}`, push]
    : [remote(app), push]
}

export function overTls(app: Target): boolean {
  return app.git_url.startsWith('https:')
}

export function remote(app: Target): string {
  return `git remote add hythe ${app.git_url}`
}
