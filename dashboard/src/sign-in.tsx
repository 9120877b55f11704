import { useQueryClient } from '@tanstack/react-query'
import { ApiError } from 'copilot-credits-client'
import { type FormEvent, useEffect, useRef, useState } from 'react'
import { client } from './data.ts'
import { failureText } from './failure-text.ts'
import { Field } from './field.tsx'
import { focusMain } from './focus.ts'
import { Logo } from './logo.tsx'

/** `hasEnded`: a session has expired, as opposed to a first visit. */
export const SignIn = ({ hasEnded }: { readonly hasEnded: boolean }) => {
  const queries = useQueryClient()
  const input = useRef<HTMLInputElement>(null)
  // This form replaces the page, and the page later replaces the form. Each time, the focused element is removed.
  useEffect(() => {
    input.current?.focus()
    return focusMain
  }, [])
  const [failure, setFailure] = useState<string>()
  const [isBusy, setIsBusy] = useState(false)
  const signIn = async (event: FormEvent<HTMLFormElement>): Promise<void> => {
    event.preventDefault()
    if (isBusy) return
    const key = String(new FormData(event.currentTarget).get('key')).trim()
    setIsBusy(true)
    setFailure(undefined)
    try {
      await client.signIn(key)
      await queries.resetQueries()
    } catch (error) {
      setFailure(signInFailure(error))
    } finally {
      setIsBusy(false)
    }
  }
  return (
    <main className="sign-in">
      <form className="card" onSubmit={signIn}>
        <Logo />
        <h1>Copilot Credits</h1>
        <p id="sign-in-reason">
          {hasEnded ? 'Your session has ended. Sign in again.' : 'Sign in with one of your organization’s API keys.'}
        </p>
        <Field name="API key">
          {(field) => (
            <input
              ref={input}
              {...field}
              name="key"
              type="password"
              required
              autoComplete="current-password"
              placeholder="cck_…"
              aria-invalid={failure !== undefined}
              aria-describedby="sign-in-reason key-failure"
            />
          )}
        </Field>
        <p id="key-failure" role="alert" className={failure === undefined ? undefined : 'notice bad'}>
          {failure}
        </p>
        <button type="submit" className="primary" aria-disabled={isBusy}>
          {isBusy ? 'Signing in…' : 'Sign in'}
        </button>
        <p className="hint">No key? Ask your administrator for one.</p>
      </form>
    </main>
  )
}

const signInFailure = (error: unknown): string => {
  if (error instanceof ApiError && (error.status === 400 || error.status === 401)) {
    return 'This key is unknown or revoked. Check it for typing errors, or ask for a new one.'
  }
  return failureText(error)
}
