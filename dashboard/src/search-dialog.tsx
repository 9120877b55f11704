import { useQuery, useQueryClient } from '@tanstack/react-query'
import { type KeyboardEvent, useEffect, useId, useLayoutEffect, useMemo, useRef, useState } from 'react'
import type { Area } from './areas.ts'
import { ORGANIZATIONS_SHOWN, type Overview, usePeriods } from './data.ts'
import { failureText } from './failure-text.ts'
import { NO_FILTERS } from './filters.tsx'
import { count, spanName } from './format.ts'
import { type Found, foundQuery, periodOf } from './message-by-id.ts'
import { viewOfOrganization } from './organization-switcher.tsx'
import { findLatest, type SearchedNames, useNames, useOtherOrganizations } from './search-data.ts'
import { idIn, looksLikeId } from './search-matches.ts'
import { type Group, groupsFor, type Known, neighbor, type Option, SEARCHED, type Searched } from './search-options.ts'
import { usePaused } from './typing.ts'
import { changeView, type View } from './view.ts'

export type SearchProps = {
  readonly view: View
  /** Undefined while nothing has been loaded yet. */
  readonly overview: Overview | undefined
  readonly areas: readonly Area[]
  readonly close: () => void
}

export const SearchDialog = ({ overview, ...props }: SearchProps) =>
  overview === undefined ? (
    <Finder {...props} overview={undefined} {...NOTHING_YET} />
  ) : (
    <FinderOfOrganization {...props} overview={overview} />
  )

const NOTHING_YET = { names: undefined, organizations: [] } as const

const FinderOfOrganization = (props: SearchProps & { readonly overview: Overview }) => (
  <Finder {...props} names={useNames(props.overview)} organizations={useOtherOrganizations(props.overview)} />
)

type FinderProps = SearchProps &
  Pick<Known, 'organizations'> & { readonly names: Readonly<Record<Searched, SearchedNames>> | undefined }

/** A combobox whose list stays open. */
const Finder = ({ view, overview, areas, close, names, organizations }: FinderProps) => {
  const [typed, setTyped] = useState('')
  const [activeKey, setActiveKey] = useState<string>()
  const id = idIn(typed)
  const paused = usePaused(id)
  const isLookedUp = id !== undefined && id === paused && overview !== undefined
  const lookup = useQuery(foundQuery(isLookedUp ? id : undefined, view.organization))
  const messages = isLookedUp ? lookup.data : undefined
  // Not deferred: Enter must choose among what is found for all that is typed.
  const groups = useMemo(
    () =>
      groupsFor(typed, {
        names,
        areas,
        organizations,
        messages: overview === undefined ? [] : messages,
        periodName: ({ period }) =>
          spanName(Date.parse(period.start), Date.parse(period.end), overview?.timeZone ?? 'UTC'),
      }),
    [typed, names, areas, organizations, messages, overview],
  )
  const options = groups.flatMap(({ options }) => options)
  const active = options.find(({ key }) => key === activeKey) ?? options[0]
  const { choose, said, forget } = useChoosing(view, overview, close)
  const list = useId()
  const optionId = ({ key }: Option): string => `${list}-${options.findIndex((option) => option.key === key)}`
  const press = (event: KeyboardEvent): void => {
    if (event.nativeEvent.isComposing) return
    const { key } = event
    if (key === 'Enter' && active !== undefined) choose(active)
    else if (key === 'ArrowDown') setActiveKey(neighbor(groups, active?.key, 1))
    else if (key === 'ArrowUp') setActiveKey(neighbor(groups, active?.key, -1))
    else return
    event.preventDefault()
  }
  const dialog = useRef<HTMLDialogElement>(null)
  // A layout effect, because a dialog already removed from the page cannot return the focus.
  useLayoutEffect(() => {
    const { current } = dialog
    current?.showModal()
    return () => current?.close()
  }, [])
  const activeId = active && optionId(active)
  useEffect(() => {
    if (activeId !== undefined) document.getElementById(activeId)?.scrollIntoView({ block: 'nearest' })
  }, [activeId])
  return (
    <dialog
      ref={dialog}
      className="search-dialog"
      aria-label="Search"
      onCancel={(event) => {
        event.preventDefault()
        close()
      }}
      onClick={({ target, currentTarget }) => {
        if (target === currentTarget) close()
      }}
    >
      <div className="search-body">
        <div className="search-head">
          <input
            type="text"
            inputMode="search"
            role="combobox"
            aria-label="Message ID, member, report or model"
            aria-expanded={options.length > 0}
            aria-controls={list}
            aria-activedescendant={activeId}
            aria-autocomplete="list"
            autoComplete="off"
            autoCapitalize="off"
            spellCheck={false}
            placeholder="Message ID, member, report, model…"
            value={typed}
            onChange={({ target }) => {
              setTyped(target.value)
              setActiveKey(undefined)
              forget()
            }}
            onKeyDown={press}
          />
          <button type="button" className="quiet" onClick={close}>
            Close
          </button>
        </div>
        <div id={list} role="listbox" aria-label="Results" className="search-results">
          {groups.map((group) => (
            <Results key={group.name} group={group} active={active} optionId={optionId} choose={choose} />
          ))}
        </div>
        <p role="status" className="search-status">
          {said ??
            statusOf(typed, { names, organizations, messages, lookupError: isLookedUp ? lookup.error : null, options })}
        </p>
      </div>
    </dialog>
  )
}

type ResultsProps = {
  readonly group: Group
  readonly active: Option | undefined
  readonly optionId: (option: Option) => string
  readonly choose: (option: Option) => void
}

const Results = ({ group: { name, options, more }, active, optionId, choose }: ResultsProps) => (
  <div role="group" aria-label={name} className="search-group">
    <p role="presentation">
      {name}
      {more > 0 && <span> {`${count(options.length)} of ${count(options.length + more)}`}</span>}
    </p>
    {options.map((option) => (
      // The keys are pressed in the field, which keeps the focus.
      <div
        key={option.key}
        id={optionId(option)}
        role="option"
        aria-selected={option === active}
        title={option.name}
        onMouseDown={(event) => event.preventDefault()}
        onClick={() => choose(option)}
      >
        <span>{option.name}</span>
        {option.note !== undefined && <span className="note">{option.note}</span>}
      </div>
    ))}
  </div>
)

/** Goes where an option leads. Only the latest choice counts, and none once something else is typed or the search is closed. */
const useChoosing = (view: View, overview: Overview | undefined, close: () => void) => {
  const queries = useQueryClient()
  const periods = usePeriods(view.organization).data ?? []
  const [said, setSaid] = useState<string>()
  const latest = useRef<Option>(undefined)
  useEffect(
    () => () => {
      latest.current = undefined
    },
    [],
  )
  const go = (change: Partial<View>): void => {
    close()
    changeView({ message: undefined, isTrying: false, ...change })
  }
  const show = (found: Found, change: Partial<View>): void => {
    if (overview !== undefined) go({ ...NO_FILTERS, ...periodOf(found, overview, periods), ...change })
  }
  const messageArea: Area = view.area === 'messages' ? 'messages' : 'usage'
  const find = async (option: Option): Promise<void> => {
    if (option.kind === 'area') return go({ area: option.area })
    if (option.kind === 'organization') return go(viewOfOrganization(view, option.id))
    if (option.kind === 'value') {
      const change = { area: 'usage', [option.dimension]: option.value } as const
      if (option.isInPeriod) return go({ ...NO_FILTERS, ...change })
      const found = await findLatest(queries, view.organization, option.dimension, option.value)
      if (latest.current !== option) return
      return found
        ? show(found, change)
        : setSaid(`There is no message with the ${option.dimension} “${option.value}”.`)
    }
    const [found] = option.found ? [option.found] : await queries.fetchQuery(foundQuery(option.id, view.organization))
    if (latest.current !== option) return
    return found ? show(found, { area: messageArea, message: found.id }) : setSaid(noMessage(option.id))
  }
  const choose = async (option: Option): Promise<void> => {
    latest.current = option
    setSaid('Looking…')
    try {
      await find(option)
    } catch (error) {
      if (latest.current === option) setSaid(`Could not look it up. ${failureText(error)}`)
    }
  }
  const forget = (): void => {
    latest.current = undefined
    setSaid(undefined)
  }
  return { choose, said, forget }
}

const noMessage = (id: string): string => `There is no message with the ID ${id}.`

type Answers = Pick<Known, 'messages'> &
  Pick<FinderProps, 'names' | 'organizations'> & {
    readonly lookupError: Error | null
    readonly options: readonly Option[]
  }

/** What was found, what was not, and what is not known. */
const statusOf = (typed: string, { names, organizations, messages, lookupError, options }: Answers): string => {
  const id = idIn(typed)
  if (id === undefined)
    return 'Finds a message of any period by its whole ID, and members, reports and models by a part of their name.'
  const all = SEARCHED.flatMap((dimension) => names?.[dimension] ?? [])
  const isNone = messages?.length === 0
  return [
    ...(isNone && looksLikeId(id) ? [noMessage(id)] : []),
    ...(lookupError === null ? [] : [`Could not look up message ${id}. ${failureText(lookupError)}`]),
    ...(isNone && options.length === 0 && !looksLikeId(id) ? [`Nothing here is called “${typed.trim()}”.`] : []),
    ...(options.length > 0 ? [`${count(options.length)} ${options.length === 1 ? 'result' : 'results'}.`] : []),
    ...(names === undefined ? ['Only areas are known until the usage is loaded.'] : []),
    ...(all.some(({ others }) => others === 'loading') ? ['Searching the other periods…'] : []),
    ...(all.some(({ others }) => others === 'failed')
      ? ['Only names of this period are known: the others could not be loaded.']
      : []),
    ...(organizations.length >= ORGANIZATIONS_SHOWN - 1
      ? [`Only the first ${count(ORGANIZATIONS_SHOWN)} organizations are searched.`]
      : []),
    ...(all.some(({ isCut }) => isCut)
      ? ['Models and features beyond the first 1,000 of a period have no names here.']
      : []),
  ].join(' ')
}
