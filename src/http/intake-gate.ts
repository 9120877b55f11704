/**
 * Bounds what is being taken in at one time: bytes of bodies that have arrived and not been answered, and open requests.
 * Nobody is given more than a multiple of what stays free, so whoever comes next finds room, however many hold however much.
 */
import { StoreBusy } from '#model/errors.ts'

export type IntakeGate = {
  /**
   * Lets a request in; `senders` are the names under which it counts, its key or address first, then wider ones, such as its
   * organization. It holds nothing until bytes of it arrive. Throws StoreBusy if its senders have too many requests open.
   */
  readonly open: (senders: readonly string[]) => IntakeShare
}

/** What one request holds. To dispose of it gives everything back. */
export type IntakeShare = Disposable & {
  readonly held: () => number
  /** Whether so many bytes more would find room now. */
  readonly hasRoom: (bytes: number) => boolean
  /** Counts bytes that have arrived. Without room it is false, and they are not counted. */
  readonly hold: (bytes: number) => boolean
  /** As `hold`, once there is room: false if there was none for `waitMs`, or when `signal` is aborted. */
  readonly holdLater: (bytes: number, waitMs: number, signal: AbortSignal) => Promise<boolean>
  readonly letGo: (bytes: number) => void
}

export const createIntakeGate = (bytesMax: number): IntakeGate => {
  const requests = createPool(OPEN_MAX)
  const bytes = createPool(bytesMax)
  const waiting = new Set<() => void>()
  let isLooking = false
  /** A body that would not fit if it were alone. One at a time is let in beside the others: it has to come in some day. */
  let oversized: IntakeShare | undefined

  /** Once for all that was let go of in this turn of the event loop. */
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
      // Nobody waits for a request that is over, and its last bytes are about to go.
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

/** Sockets are cheap and not free: what Node.js has read ahead of each is up to 64 KiB. */
const OPEN_MAX = 4096
/** A key or an address alone gets three quarters, two get three sevenths each. */
const SENDER_FACTOR = 3
/** An organization alone gets eight ninths: more than one of its keys, so that one cannot keep out the others. */
const GROUP_FACTOR = 8
/** A request alone gets half. */
const REQUEST_FACTOR = 1

type Holder = { readonly name: string | symbol; readonly factor: number }

/**
 * A quantity that is shared by a threshold that moves: a holder may have at most `factor` times what is left over. It needs
 * no count of who else is there, and the smallest newcomer always fits. (Choudhury and Hahne, "Dynamic queue length
 * thresholds for shared-memory packet switches", 1998.)
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
