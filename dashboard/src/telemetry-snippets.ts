/** What to set where calls are made already, so that they are reported to this service. */
import { isNamed, keyOf, type SnippetNeeds } from './snippets.ts'

/** The variables that every OpenTelemetry SDK reads. In a header, they want a space percent-encoded. */
export const openTelemetrySnippet = (needs: SnippetNeeds): string => {
  const { address, organization, needsKey } = needs
  const endpoints = isNamed(needs)
    ? ['traces', 'logs'].map(
        (signal) =>
          `OTEL_EXPORTER_OTLP_${signal.toUpperCase()}_ENDPOINT='${address}/v1/${signal}?organization=${organization}'`,
      )
    : [`OTEL_EXPORTER_OTLP_ENDPOINT=${address}`]
  return [
    ...endpoints,
    'OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf',
    ...(needsKey ? [`OTEL_EXPORTER_OTLP_HEADERS='Authorization=Bearer%20${keyOf(needs)}'`] : []),
    "OTEL_RESOURCE_ATTRIBUTES='user.id=ada'",
  ]
    .map((line) => `export ${line}`)
    .join('\n')
}

export const litellmSnippet = (needs: SnippetNeeds): string => {
  const { address, organization, needsKey } = needs
  const query = isNamed(needs) ? `?organization=${organization}` : ''
  const headers = `
    headers:
      Authorization: Bearer ${keyOf(needs)}`
  return `callback_settings:
  copilot_credits:
    callback_type: generic_api
    endpoint: ${address}/v1/litellm${query}${needsKey ? headers : ''}
litellm_settings:
  callbacks: ["copilot_credits"]
  turn_off_message_logging: true
`
}
