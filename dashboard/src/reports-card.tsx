import { useQueryClient } from '@tanstack/react-query'
import type { Report, Session } from 'copilot-credits-client'
import { useRef, useState } from 'react'
import { client } from './data.ts'
import { EditForm, InvalidInput, numberIn, textIn } from './edit-form.tsx'
import { failureText } from './failure-text.ts'
import { Field } from './field.tsx'
import { clockTime, credits, toMicros } from './format.ts'
import { ListCard } from './list-card.tsx'
import { LISTED_AT_ONCE, useReports } from './operator-data.ts'

type Editing = { readonly report: Report | undefined }

/** What reports cost. The catalogue is one for all organizations, so only an operator changes it. */
export const ReportsCard = ({ session }: { readonly session: Session }) => {
  const [shown, setShown] = useState(LISTED_AT_ONCE)
  const [editing, setEditing] = useState<Editing>()
  const [outcome, setOutcome] = useState<string>()
  const opener = useRef<HTMLElement>(null)
  const add = useRef<HTMLButtonElement>(null)
  const list = useReports(shown)
  const queries = useQueryClient()
  const edit = (report: Report | undefined, button: HTMLElement): void => {
    opener.current = button
    setOutcome(undefined)
    setEditing({ report })
  }
  const close = (): void => {
    setEditing(undefined)
    opener.current?.focus()
  }
  const done = (what: string): void => {
    setOutcome(
      `${what} This counts for messages reported from ${clockTime(Date.now(), session.organization.time_zone)} on.`,
    )
    close()
    queries.invalidateQueries({ queryKey: ['reports'] })
  }
  const remove = async (report: Report): Promise<void> => {
    try {
      await client.deleteReport(report.id)
      done(`${report.name} was deleted.`)
      add.current?.focus()
    } catch (error) {
      setOutcome(`Could not delete ${report.name}. ${failureText(error)}`)
    }
  }
  return (
    <ListCard
      title="Reports and their prices"
      what="reports"
      list={list}
      outcome={outcome}
      showMore={() => setShown(shown + LISTED_AT_ONCE)}
      empty="No reports yet. A message that asks for a report without a price is priced by its text."
      note={
        session.source === 'upstream'
          ? 'The Copilot service prices reports here: this list is not used.'
          : 'One list for all organizations. A new price counts for messages reported from then on; what was charged stays as it was charged.'
      }
      action={
        session.operator && (
          <button ref={add} type="button" onClick={({ currentTarget }) => edit(undefined, currentTarget)}>
            New report
          </button>
        )
      }
      form={
        editing && (
          <ReportForm
            key={editing.report?.id ?? ''}
            report={editing.report}
            close={close}
            saved={(name, price) => done(`${name} costs ${credits(toMicros(price))} credits.`)}
          />
        )
      }
    >
      {(reports) => (
        <table className="operated">
          <thead>
            <tr>
              <th scope="col">Report</th>
              <th scope="col" className="amount">
                Credits a message
              </th>
              {session.operator && (
                <th scope="col">
                  <span className="visually-hidden">Actions</span>
                </th>
              )}
            </tr>
          </thead>
          <tbody>
            {reports.map((report) => (
              <tr key={report.id}>
                <th scope="row">
                  {report.name}
                  <span className="note">{report.id}</span>
                </th>
                <td className="amount">{credits(toMicros(report.credit_cost))}</td>
                {session.operator && (
                  <td className="row-actions">
                    <button
                      type="button"
                      className="quiet"
                      onClick={({ currentTarget }) => edit(report, currentTarget)}
                    >
                      Change<span className="visually-hidden"> {report.name}</span>
                    </button>
                    <button type="button" className="quiet" onClick={() => remove(report)}>
                      Delete<span className="visually-hidden"> {report.name}</span>
                    </button>
                  </td>
                )}
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </ListCard>
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
