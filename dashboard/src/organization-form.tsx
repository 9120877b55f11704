import type { ListedOrganization } from 'copilot-credits-client'
import { client } from './data.ts'
import { EditForm, numberIn, textIn } from './edit-form.tsx'
import { Field } from './field.tsx'

type Props = {
  /** Undefined: a new one. */
  readonly organization: ListedOrganization | undefined
  readonly close: () => void
  readonly saved: (name: string) => void
}

/** Creates an organization, or changes what can be changed of one. */
export const OrganizationForm = ({ organization, close, saved }: Props) => {
  const { time_zone: timeZone = 'UTC', billing_anchor_day: day = 1 } = organization?.pending ?? organization ?? {}
  const submit = async (input: FormData): Promise<void> => {
    const name = textIn(input, 'name')
    const wanted = { time_zone: textIn(input, 'time_zone'), billing_anchor_day: numberIn(input, 'billing_anchor_day') }
    if (organization === undefined) {
      const id = textIn(input, 'id')
      await client.createOrganization({ id, ...(name !== '' && { name }), ...wanted })
      saved(name || id)
      return
    }
    // Sent only if changed, because a calendar that is sent takes the place of the one that is pending.
    await client.changeOrganization(organization.id, {
      name,
      ...(wanted.time_zone !== timeZone && { time_zone: wanted.time_zone }),
      ...(wanted.billing_anchor_day !== day && { billing_anchor_day: wanted.billing_anchor_day }),
    })
    saved(name)
  }
  return (
    <EditForm
      title={organization === undefined ? 'New organization' : `Change ${organization.name}`}
      submitName={organization === undefined ? 'Create' : 'Save'}
      submit={submit}
      close={close}
      conflictField="id"
    >
      {(problems) => (
        <>
          {organization === undefined && (
            <Field name="ID" problem={problems['id']}>
              {(field) => <input {...field} name="id" required autoComplete="off" placeholder="acme" />}
            </Field>
          )}
          <Field name="Name" problem={problems['name']}>
            {(field) => <input {...field} name="name" defaultValue={organization?.name} placeholder="Acme Ltd" />}
          </Field>
          <Field name="Time zone" problem={problems['time_zone']}>
            {(field) => <input {...field} name="time_zone" list="time-zones" defaultValue={timeZone} />}
          </Field>
          <Field name="Billing day" problem={problems['billing_anchor_day']}>
            {(field) => <input {...field} name="billing_anchor_day" inputMode="numeric" defaultValue={day} />}
          </Field>
          <datalist id="time-zones">
            {Intl.supportedValuesOf('timeZone').map((zone) => (
              <option key={zone} value={zone} />
            ))}
          </datalist>
          <p className="hint edit-note">
            {organization === undefined
              ? 'The ID is part of keys and addresses: it cannot be changed later. '
              : `The ID, ${organization.id}, cannot be changed: keys and addresses contain it. A name changes at once; a time zone or billing day waits for the next period, because a period that has begun never moves. `}
            A period starts on the billing day at midnight in the time zone.
          </p>
        </>
      )}
    </EditForm>
  )
}
