import { useQuery } from '@tanstack/react-query'
import { setupQuery, signIn } from '../api/session'
import { Commands } from '../parts/Copy'
import { Credentials } from '../parts/Credentials'
import { Gateway } from '../parts/Gateway'

export default function SignIn() {
  const setup = useQuery(setupQuery)
  if (setup.data?.needed) return <Unused />
  return <Form />
}

/** Nobody can sign in yet. */
function Unused() {
  return (
    <Gateway title="Open the set-up link">
      <p>
        Nobody has signed in here yet. <code>bin/up</code> prints a link that works once, and with
        it you choose a name and a password.
      </p>
      <p className="hint">For another link, type on the machine that runs Hythe:</p>
      <Commands lines={['bin/hythe setup:link']} what="the command" />
    </Gateway>
  )
}

function Form() {
  return (
    <Gateway title="Sign in">
      <Credentials send={signIn} button="Sign in" password={{ autoComplete: 'current-password' }} />
      <p className="hint">
        Forgotten? <code>bin/hythe setup:link</code>, typed on the machine that runs Hythe, makes a
        link to choose a new password.
      </p>
    </Gateway>
  )
}
