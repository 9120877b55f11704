import { useQueryClient } from '@tanstack/react-query'
import type { ApiKey, Session } from 'copilot-credits-client'
import { useState } from 'react'
import { client } from './data.ts'
import { EditForm, InvalidInput, textIn } from './edit-form.tsx'
import { Field } from './field.tsx'
import { dateTime } from './format.ts'
import { ACTIONS, ListCard, useEditing } from './list-card.tsx'
import { NewKey } from './new-key.tsx'
import { useKeys } from './operator-data.ts'
import { RemovableRow } from './removable-row.tsx'

type Scope = ApiKey['scopes'][number]

const MEANINGS: Readonly<Record<Scope, string>> = {
  'usage:read': 'reads usage, charges, prices and quotes, and signs in to this page',
  'messages:write': 'reports messages and gets quotes',
  admin: 'does all of that, and manages the organization and its keys',
}
const SCOPES = Object.keys(MEANINGS) as readonly Scope[]

/** The keys of the organization that is shown. A new one is in the state of this component until it is put away, and nowhere else. */
export const KeysCard = ({ session }: { readonly session: Session }) => {
  const { organization, signed_in_by: by } = session
  const keys = useKeys(organization.id)
  const queries = useQueryClient()
  const list = useEditing<ApiKey>()
  const [secret, setSecret] = useState<string>()
  const valid = keys.data?.filter(({ revoked }) => revoked === undefined) ?? []
  const revoked = keys.data?.filter((key) => key.revoked !== undefined) ?? []
  const isOpen = by === 'nobody'
  const hasAdmin = valid.some(({ scopes }) => scopes.includes('admin'))
  const create = async (input: FormData): Promise<void> => {
    const scopes = SCOPES.filter((scope) => input.getAll('scope').includes(scope))
    if (scopes.length === 0) throw new InvalidInput('scopes', 'Choose at least one.')
    if (isOpen && !hasAdmin && !(scopes.includes('admin') && organization.id === 'default')) {
      throw new InvalidInput('scopes', FIRST_KEY)
    }
    const name = textIn(input, 'name')
    const { key } = await client.createKey({ scopes, ...(name !== '' && { name }) }, { organization: organization.id })
    // From the first key on, this page needs one too.
    if (isOpen && !hasAdmin) await client.signIn(key)
    list.close()
    setSecret(key)
    queries.invalidateQueries()
  }
  return (
    <ListCard
      title={`Keys of ${organization.name}`}
      what="keys"
      list={{ ...keys, data: keys.data && { items: valid, hasMore: false } }}
      editing={list}
      addName="New key"
      empty={revoked.length === 0 ? 'No keys yet.' : 'No valid keys.'}
      footer={revoked.length > 0 && <RevokedKeys keys={revoked} timeZone={organization.time_zone} />}
      note={isOpen && !hasAdmin ? `Nothing needs a key yet. ${FIRST_KEY}` : undefined}
      form={
        <>
          {list.editing && <KeyForm create={create} close={list.close} />}
          {secret !== undefined && (
            <NewKey
              secret={secret}
              close={() => {
                setSecret(undefined)
                list.add.current?.focus()
              }}
            />
          )}
        </>
      }
      columns={[{ name: 'Key' }, { name: 'Scopes' }, { name: 'Last used' }, ACTIONS]}
      row={(key) => (
        <KeyRow
          key={key.id}
          apiKey={key}
          timeZone={organization.time_zone}
          revoked={() => {
            list.removed(`Revoked ${nameOf(key)}.`)
            queries.invalidateQueries({ queryKey: ['keys'] })
          }}
        />
      )}
    />
  )
}

const FIRST_KEY =
  'As soon as there is a key, every request needs one. The first key must therefore be an operator’s: of the organization default, with the scope admin.'

const nameOf = ({ id, name }: ApiKey): string => name || id

type FormProps = { readonly create: (input: FormData) => Promise<void>; readonly close: () => void }

const KeyForm = ({ create, close }: FormProps) => (
  <EditForm title="New key" submitName="Create key" submit={create} close={close}>
    {(problems) => (
      <>
        <Field name="Name" problem={problems['name']}>
          {(field) => <input {...field} name="name" autoComplete="off" placeholder="billing export" />}
        </Field>
        <fieldset className="scopes" aria-describedby="scopes-problem">
          <legend>Scopes</legend>
          {SCOPES.map((scope) => (
            <label key={scope}>
              <input type="checkbox" name="scope" value={scope} />
              <span>
                <code>{scope}</code> <span className="note">{MEANINGS[scope]}</span>
              </span>
            </label>
          ))}
          <p id="scopes-problem" role="alert" className="problem">
            {problems['scopes']}
          </p>
        </fieldset>
      </>
    )}
  </EditForm>
)

type RowProps = { readonly apiKey: ApiKey; readonly timeZone: string; readonly revoked: () => void }

const KeyRow = ({ apiKey, timeZone, revoked }: RowProps) => {
  const { id, name, scopes, created, last_used: used, organization } = apiKey
  return (
    <RemovableRow
      name={nameOf(apiKey)}
      verb="Revoke"
      submitName="Revoke key"
      consequence={`Whatever uses ${nameOf(apiKey)} stops working within five seconds. A revoked key does not come back.`}
      remove={() => client.revokeKey(id, { organization })}
      removed={revoked}
      columns={4}
    >
      <th scope="row">
        {nameOf(apiKey)}
        <span className="note">
          {name !== '' && `${id}, `}created {dateTime(Date.parse(created), timeZone)}
        </span>
      </th>
      <td>
        <span className="scope-list">
          {scopes.map((scope) => (
            <code key={scope} title={MEANINGS[scope]}>
              {scope}
            </code>
          ))}
        </span>
      </td>
      <td className="when">{used === undefined ? 'Never' : dateTime(Date.parse(used), timeZone)}</td>
    </RemovableRow>
  )
}

const RevokedKeys = ({ keys, timeZone }: { readonly keys: readonly ApiKey[]; readonly timeZone: string }) => (
  <details className="revoked">
    <summary>Revoked keys ({keys.length})</summary>
    <ul>
      {keys.map((key) => (
        <li key={key.id}>
          {nameOf(key)}{' '}
          <span className="note">revoked {key.revoked && dateTime(Date.parse(key.revoked), timeZone)}</span>
        </li>
      ))}
    </ul>
  </details>
)
