import { CopyButton } from './copy-button.tsx'

type Props = { readonly secret: string; readonly close: () => void }

/** The one time that a key is shown. */
export const NewKey = ({ secret, close }: Props) => (
  <section className="new-key" aria-label="New key">
    <p>
      <strong>Copy this key now.</strong> It is not shown again: the service keeps only a hash of it.
    </p>
    <p className="secret">
      <code data-secret>{secret}</code>
      <CopyButton text={secret} name="key" />
    </p>
    <button type="button" onClick={close}>
      Done
    </button>
  </section>
)
