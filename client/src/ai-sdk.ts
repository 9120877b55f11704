/**
 * Integration for the telemetry of the AI SDK, versions 6 and 7. It reads counts, ids and names of models from the events, and nothing
 * of prompts and answers. Types are structural, so that the client does not depend on the SDK.
 */
import type { ReportProblem } from './report-queue.ts'
import { countsIn, givenIn, outcomeOf, type ReportFields } from './results.ts'
import type { Message } from './types.ts'

/** For `registerTelemetry` or `telemetry.integrations` of version 7, and for `experimental_telemetry.integrations` of version 6. */
export type AiSdkTelemetry = {
  readonly onStart: (event: unknown) => void
  readonly onLanguageModelCallStart: (event: unknown) => void
  readonly onLanguageModelCallEnd: (event: unknown) => void
  readonly onStepEnd: (event: unknown) => void
  readonly onStepFinish: (event: unknown) => void
  readonly onObjectStepEnd: (event: unknown) => void
  readonly onEmbedEnd: (event: unknown) => void
  readonly onEnd: (event: unknown) => void
  readonly onAbort: (event: unknown) => void
  readonly onError: (event: unknown) => void
}

/** What is known of a call of `generateText`, `embed` and so on when it starts. */
export type OperationInfo = {
  /** `functionId` of its telemetry settings. */
  readonly functionId: string | undefined
  /** Version 7: `runtimeContext`, of which `includeRuntimeContext` names the members. Version 6: `metadata`. */
  readonly context: Readonly<Record<string, unknown>>
}

/** Whose calls they are: the same for all, or by the operation. The function is called where the operation starts. */
export type FieldsOfOperation = CallFields | ((operation: OperationInfo) => CallFields)

/** Each call has an id and an instant of its own. */
type CallFields = Omit<ReportFields, 'id' | 'timestamp'>

type Needs = {
  readonly add: (messages: readonly Message[]) => void
  readonly tell: (problem: ReportProblem) => void
}

/** Members of events that are read. Others may be content. */
type CallEvent = {
  readonly callId?: string
  readonly embedCallId?: string
  readonly stepNumber?: number
  readonly functionId?: string
  readonly runtimeContext?: Readonly<Record<string, unknown>>
  readonly metadata?: Readonly<Record<string, unknown>>
  readonly modelId?: string
  readonly model?: { readonly modelId?: string }
  readonly response?: { readonly modelId?: string }
  readonly finishReason?: string
  readonly usage?: unknown
  readonly timestamp?: number
}

/** Of a model. */
type EndedCall = {
  readonly model: string | undefined
  readonly usage: unknown
  readonly finishReason: string | undefined
  readonly timestamp: number
}

type Operation = {
  readonly fields: CallFields
  steps: number
  isCalling: boolean
  /** A call whose step has not ended. Only the step knows which model answered; but it ends later, as tools run in it, or never. */
  ended: EndedCall | undefined
}

/** A stream that nobody reads to its end does not say so. */
const OPERATIONS_MAX = 10_000

export const createTelemetry = ({ add, tell }: Needs, fields: FieldsOfOperation): AiSdkTelemetry => {
  const operations = new Map<string, Operation>()

  const fieldsOf = ({ functionId, runtimeContext, metadata }: CallEvent): CallFields => {
    if (typeof fields !== 'function') return fields
    try {
      return fields({ functionId, context: runtimeContext ?? metadata ?? {} })
    } catch (cause) {
      tell({ kind: 'no-fields', reason: 'The function for the fields of a call threw.', messages: [], cause })
      return {}
    }
  }

  const operationOf = (event: CallEvent): Operation => {
    const { callId = '' } = event
    const known = operations.get(callId)
    if (known !== undefined) return known
    const [oldest] = operations.keys()
    if (operations.size >= OPERATIONS_MAX && oldest !== undefined) end({ callId: oldest })
    const operation: Operation = { fields: fieldsOf(event), steps: 0, isCalling: false, ended: undefined }
    operations.set(callId, operation)
    return operation
  }

  const report = ({ model, finishReason, ...call }: EndedCall, id: string, own: CallFields): void => {
    const usage = countsIn(call.usage)
    const outcome = outcomeOf({ finishReason })
    if (usage === undefined) {
      tell({ kind: 'no-usage', reason: `The provider of ${model} did not say what a call used.`, messages: [] })
      return
    }
    const timestamp = new Date(call.timestamp).toISOString()
    const message = { id, timestamp, ...(model !== undefined && { model }), usage_format: 'ai-sdk' as const, usage }
    add([{ ...message, ...(outcome !== undefined && { outcome }), ...givenIn(own) }])
  }

  const reportEnded = (event: CallEvent, operation: Operation): void => {
    const { ended } = operation
    operation.ended = undefined
    if (ended !== undefined) report(ended, `${event.callId}:${operation.steps++}`, operation.fields)
  }

  const end = (event: CallEvent): void => {
    const operation = operations.get(event.callId ?? '')
    if (operation === undefined) return
    reportEnded(event, operation)
    operations.delete(event.callId ?? '')
  }

  const endStep = (event: CallEvent): void => {
    const operation = operationOf(event)
    const { callId, stepNumber = operation.steps } = event
    const call = callIn(event)
    const { timestamp } = operation.ended ?? call
    operation.ended = undefined
    operation.steps = stepNumber + 1
    report({ ...call, timestamp }, `${callId}:${stepNumber}`, operation.fields)
  }

  const telemetry = {
    onStart: (event) => {
      if (event.callId !== undefined) operationOf(event)
    },
    onLanguageModelCallStart: (event) => {
      operationOf(event).isCalling = true
    },
    onLanguageModelCallEnd: (event) => {
      const operation = operationOf(event)
      reportEnded(event, operation)
      Object.assign(operation, { isCalling: false, ended: callIn(event) })
    },
    onStepEnd: endStep,
    // Version 7 tells both names. Version 6 knows no id of the operation.
    onStepFinish: (event) => {
      if (event.callId === undefined) report(callIn(event), crypto.randomUUID(), fieldsOf(event))
    },
    onObjectStepEnd: endStep,
    onEmbedEnd: (event) => report(callIn(event), `${event.callId}:${event.embedCallId}`, operationOf(event).fields),
    onEnd: end,
    onAbort: (event) => {
      if (operations.get(event.callId ?? '')?.isCalling === true) {
        tell({ kind: 'no-usage', reason: 'A call was aborted before the provider said what it used.', messages: [] })
      }
      end(event)
    },
    onError: end,
  } satisfies Record<string, (event: CallEvent) => void>

  return Object.fromEntries(
    Object.entries(telemetry).map(([name, handle]) => [name, (event: unknown) => handle(event as CallEvent)]),
  ) as AiSdkTelemetry
}

/** Events that are told later say when they happened. */
const callIn = ({ response, model, modelId, usage, finishReason, timestamp = Date.now() }: CallEvent): EndedCall => {
  return { model: response?.modelId ?? model?.modelId ?? modelId, usage, finishReason, timestamp }
}
