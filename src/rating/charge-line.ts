import type { ChargeLine } from '#model/charge.ts'
import type { Credits } from '#model/credits.ts'

type Shown = {
  readonly rule: string
  readonly per: number
  readonly isStarted: boolean
  readonly band: { readonly shown: NonNullable<ChargeLine['band']> } | undefined
}

/** A line with what a reader needs to check it. */
export const toChargeLine = (
  { rule, per, isStarted, band }: Shown,
  quantity: number,
  rate: number,
  packages: number,
  amount: number,
): ChargeLine => {
  const line = { rule, quantity, rate: rate as Credits, credits: amount as Credits }
  // Spread syntax takes several times as long, so frequent shapes are written out.
  if (!isStarted && band === undefined) {
    return per === 1 ? line : { rule, quantity: line.quantity, rate: line.rate, credits: line.credits, per }
  }
  if (!isStarted && per === 1 && band !== undefined) {
    return { rule, quantity: line.quantity, rate: line.rate, credits: line.credits, band: band.shown }
  }
  return {
    ...line,
    ...(per !== 1 && { per }),
    ...(band !== undefined && { band: band.shown }),
    ...(isStarted && { packages }),
  }
}
