import { useQueryClient } from '@tanstack/react-query'
import type { Report, Session } from 'copilot-credits-client'
import { useState } from 'react'
import { client } from './data.ts'
import { EditForm, InvalidInput, numberIn, textIn } from './edit-form.tsx'
import { Field } from './field.tsx'
import { clockTime, credits, toMicros } from './format.ts'
import { ACTIONS, ListCard, useEditing } from './list-card.tsx'
import { LISTED_AT_ONCE, useReports } from './operator-data.ts'
import { RemovableRow } from './removable-row.tsx'

/** What reports cost. The catalogue is one for all organizations, so only an operator changes it. */
export const ReportsCard = ({ session }: { readonly session: Session }) => {
  const [shown, setShown] = useState(LISTED_AT_ONCE)
  const editing = useEditing<Report>()
  const list = useReports(shown)
  const queries = useQueryClient()
  const done = (what: string): string => {
    queries.invalidateQueries({ queryKey: ['reports'] })
    return `${what} This counts for messages reported from ${clockTime(Date.now(), session.organization.time_zone)} on.`
  }
  return (
    <ListCard
      title="Reports and their prices"
      what="reports"
      list={list}
      editing={editing}
      addName={session.operator ? 'New report' : undefined}
      showMore={() => setShown(shown + LISTED_AT_ONCE)}
      empty="No reports yet. A message that asks for a report without a price is priced by its text."
      note={
        session.source === 'upstream'
          ? 'The Copilot service prices reports here: this list is not used.'
          : 'One list for all organizations. A new price counts for messages reported from then on; what was charged stays as it was charged.'
      }
      form={
        editing.editing && (
          <ReportForm
            key={editing.editing.item?.id ?? ''}
            report={editing.editing.item}
            close={editing.close}
            saved={(name, price) => editing.saved(done(`${name} costs ${credits(toMicros(price))} credits.`))}
          />
        )
      }
      columns={[{ name: 'Report' }, { name: 'Credits a message', className: 'amount' }, session.operator && ACTIONS]}
      row={(report) => (
        <ReportRow
          key={report.id}
          report={report}
          isEditable={session.operator}
          edit={(button) => editing.edit(report, button)}
          deleted={() => editing.removed(done(`${report.name} was deleted.`))}
        />
      )}
    />
  )
}

type RowProps = {
  readonly report: Report
  readonly isEditable: boolean
  readonly edit: (button: HTMLElement) => void
  readonly deleted: () => void
}

const ReportRow = ({ report: { id, name, credit_cost: price }, isEditable, edit, deleted }: RowProps) => {
  const cells = (
    <>
      <th scope="row">
        {name}
        <span className="note">{id}</span>
      </th>
      <td className="amount">{credits(toMicros(price))}</td>
    </>
  )
  if (!isEditable) return <tr>{cells}</tr>
  return (
    <RemovableRow
      name={name}
      verb="Delete"
      submitName="Delete report"
      consequence={`${name} will have no price: messages that ask for it from then on are priced by their text. What was charged stays as it was charged.`}
      remove={() => client.deleteReport(id)}
      removed={deleted}
      columns={3}
      actions={
        <button type="button" className="quiet" onClick={({ currentTarget }) => edit(currentTarget)}>
          Change<span className="visually-hidden"> {name}</span>
        </button>
      }
    >
      {cells}
    </RemovableRow>
  )
}

type FormProps = {
  readonly report: Report | undefined
  readonly close: () => void
  readonly saved: (name: string, price: number) => void
}

const ReportForm = ({ report, close, saved }: FormProps) => (
  <EditForm
    title={report === undefined ? 'New report' : `Change ${report.name}`}
    submitName={report === undefined ? 'Create' : 'Save'}
    close={close}
    submit={async (input) => {
      const id = report?.id ?? textIn(input, 'id')
      if (id === '' || id === '.' || id === '..')
        throw new InvalidInput('id', 'Must be the ID by which messages ask for it.')
      const { name, credit_cost: price } = await client.putReport(id, {
        name: textIn(input, 'name'),
        credit_cost: numberIn(input, 'credit_cost'),
      })
      saved(name, price)
    }}
  >
    {(problems) => (
      <>
        {report === undefined && (
          <Field name="ID" problem={problems['id']}>
            {(field) => <input {...field} name="id" autoComplete="off" placeholder="5392" />}
          </Field>
        )}
        <Field name="Name" problem={problems['name']}>
          {(field) => <input {...field} name="name" defaultValue={report?.name} placeholder="Lease Summary Report" />}
        </Field>
        <Field name="Credits" problem={problems['credit_cost']}>
          {(field) => (
            <input
              {...field}
              name="credit_cost"
              inputMode="decimal"
              defaultValue={report?.credit_cost}
              placeholder="35"
            />
          )}
        </Field>
      </>
    )}
  </EditForm>
)
