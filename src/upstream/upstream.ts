/** The Copilot service as a source of the current period. */
import type { CopilotService, ListingReader } from '#current-period/copilot-service.ts'
import { JsonListing } from '#formats/json-listing.ts'
import { type BodyReader, createHttpClient, type HttpClientNeeds } from './http-client.ts'
import { createReportCatalogue, type ReportCatalogueSettings } from './report-catalogue.ts'
import { parseMessage } from './schemas.ts'
import { conditionsOf, validatorsOf } from './validators.ts'

export type UpstreamNeeds = HttpClientNeeds & ReportCatalogueSettings

export const createUpstream = (needs: UpstreamNeeds): CopilotService => {
  const client = createHttpClient(needs)
  const lookUpReports = createReportCatalogue({ ...needs, client })
  return {
    list: async ({ start, since, deadline, progress }) => {
      const answer = await client.get({
        kind: 'listing',
        path: '/messages/current-period',
        conditions: conditionsOf(since),
        mayBeMissing: false,
        deadline,
        progress,
        start: () => readListing(start()),
      })
      if (answer.status !== 200) return 'unchanged'
      return { value: answer.body, validators: validatorsOf(answer.headers) }
    },
    lookUpReports,
    close: client.close,
  }
}

/** Parses the bytes of a listing and passes its messages to `reader`. */
export const readListing = <T>(reader: ListingReader<T>): BodyReader<T> => {
  const listing = new JsonListing((elements, first) =>
    reader.take(elements.map((element, index) => parseMessage(element, first + index))),
  )
  return {
    push: (chunk) => listing.push(chunk),
    end: () => {
      listing.end()
      return reader.finish()
    },
  }
}
