/**
 * Bounds the intake: the number of open requests, and the bytes of request bodies that have arrived but are not yet answered.
 * No sender gets more than a multiple of what stays free, so a new sender always finds room, however much the others hold.
 */
import { StoreBusy } from '#model/errors.ts'

export type IntakeGate = {
  /**
   * Admits a request. `senders` are the names under which it counts: its key or address first, then wider groups such as its
   * organization. A request holds no bytes until they arrive. Throws StoreBusy if its senders have too many open requests.
   */
  readonly open: (senders: readonly string[]) => IntakeShare
}

/** What one request holds. Disposing of it releases everything. */
export type IntakeShare = Disposable & {
  readonly held: () => number
  /** Whether there is room now for that many more bytes. */
  readonly hasRoom: (bytes: number) => boolean
  /** Counts bytes that have arrived. If there is no room, returns false and counts nothing. */
  readonly hold: (bytes: number) => boolean
  /** Like `hold`, but waits for room. Resolves to false if there is none within `waitMs` or when `signal` aborts. */
  readonly holdLater: (bytes: number, waitMs: number, signal: AbortSignal) => Promise<boolean>
  readonly letGo: (bytes: number) => void
}

export const createIntakeGate = (bytesMax: number): IntakeGate => {
  const requests = createPool(OPEN_MAX)
  const bytes = createPool(bytesMax)
  const waiting = new Set<() => void>()
  let isLooking = false
  /** A body too large to fit even alone. One such body at a time is admitted beyond the limit, or it would never get in. */
  let oversized: IntakeShare | undefined

  /** Runs at most once per turn of the event loop, however much was released in it. */
  const lookAtWaiting = (): void => {
    if (isLooking || waiting.size === 0) return
    isLooking = true
    setImmediate(() => {
      isLooking = false
      for (const look of waiting) look()
    })
  }

  const open = (senders: readonly string[]): IntakeShare => {
    const [first = '', ...wider] = senders
    const groups = wider.map((name) => ({ name, factor: GROUP_FACTOR }))
    const all = [{ name: first, factor: SENDER_FACTOR }, ...groups]
    if (!requests.take(all, 1)) throw new StoreBusy(BUSY)
    const holders = [{ name: Symbol('request'), factor: REQUEST_FACTOR }, ...all]
    let held = 0
    let isOpen = true

    const hasRoom = (more: number): boolean => {
      if (oversized === share || bytes.fits(holders, more)) return true
      return oversized === undefined && held + more > bytesMax / (1 + 1 / REQUEST_FACTOR)
    }

    const hold = (more: number): boolean => {
      // The request is over and its last bytes are about to be dropped, so there is nothing to count.
      if (!isOpen) return true
      if (oversized !== share && !bytes.take(holders, more)) {
        if (!hasRoom(more)) return false
        oversized = share
        bytes.give(holders, held)
        lookAtWaiting()
      }
      held += more
      return true
    }

    const letGo = (less: number): void => {
      if (!isOpen) return
      held -= less
      if (oversized !== share) bytes.give(holders, less)
      else if (held === 0) oversized = undefined
      lookAtWaiting()
    }

    const holdLater = (more: number, waitMs: number, signal: AbortSignal): Promise<boolean> =>
      new Promise((resolve) => {
        const end = (isHeld: boolean): void => {
          waiting.delete(look)
          clearTimeout(timer)
          signal.removeEventListener('abort', giveUp)
          resolve(isHeld)
        }
        const look = (): void => {
          if (hold(more)) end(true)
        }
        const giveUp = (): void => end(false)
        const timer = setTimeout(giveUp, waitMs)
        signal.addEventListener('abort', giveUp)
        waiting.add(look)
        if (signal.aborted) giveUp()
      })

    const share: IntakeShare = {
      held: () => held,
      hasRoom,
      hold,
      holdLater,
      letGo,
      [Symbol.dispose]: () => {
        letGo(held)
        if (isOpen) requests.give(all, 1)
        isOpen = false
      },
    }
    return share
  }

  return { open }
}

export const BUSY =
  'The service is already receiving as much as it accepts at once (INTAKE_QUEUE). Send this request again in a second.'

/** Open requests are cheap but not free: Node.js reads up to 64 KiB ahead on each socket. */
const OPEN_MAX = 4096
/** A single key or address gets up to three quarters; two get three sevenths each. */
const SENDER_FACTOR = 3
/** A single organization gets up to eight ninths: more than any one of its keys, so that a key cannot shut out the others. */
const GROUP_FACTOR = 8
/** A single request gets up to half. */
const REQUEST_FACTOR = 1

type Holder = { readonly name: string | symbol; readonly factor: number }

/**
 * A quantity shared by a dynamic threshold: each holder may have at most `factor` times what is left free. This needs no count
 * of the holders, and a small newcomer always fits. (Choudhury and Hahne, "Dynamic queue length thresholds for shared-memory
 * packet switches", 1998.)
 */
const createPool = (max: number) => {
  const heldBy = new Map<string | symbol, number>()
  let held = 0

  const fits = (holders: readonly Holder[], more: number): boolean => {
    const free = max - held - more
    return free >= 0 && holders.every(({ name, factor }) => (heldBy.get(name) ?? 0) + more <= factor * free)
  }

  return {
    fits,
    take: (holders: readonly Holder[], more: number): boolean => {
      if (!fits(holders, more)) return false
      held += more
      for (const { name } of holders) heldBy.set(name, (heldBy.get(name) ?? 0) + more)
      return true
    },
    give: (holders: readonly Holder[], less: number): void => {
      held -= less
      for (const { name } of holders) {
        const left = (heldBy.get(name) ?? 0) - less
        if (left > 0) heldBy.set(name, left)
        else heldBy.delete(name)
      }
    },
  }
}
