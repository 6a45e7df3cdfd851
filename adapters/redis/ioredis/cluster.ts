import type { Command as IoredisCommand } from 'ioredis'
import { DriverFailure } from '../../../src/core/index.ts'
import type { Arg, Command, Reply } from '../../../src/redis/index.ts'

type CommandType = typeof IoredisCommand

/** Commands that mean the same when each slot's keys are asked for on their own. MSET is not: it is atomic. */
const splittable = new Set(['MGET', 'EXISTS', 'TOUCH', 'DEL', 'UNLINK'])

export interface Part {
  readonly command: Command
  /** Where the part's keys stood in the whole. */
  readonly positions: readonly number[]
}

/** One part for each slot; `undefined` if the command is fine as it is. */
export function splitBySlot(command: Command, Native: CommandType): Part[] | undefined {
  const [name, ...keys] = command.args as [string, ...Arg[]]
  if (keys.length < 2 || !splittable.has(name)) return undefined
  const bySlot = new Map<number, { keys: Arg[]; positions: number[] }>()
  keys.forEach((key, position) => {
    const slot = slotOf(key, Native)
    const part = bySlot.get(slot) ?? { keys: [], positions: [] }
    part.keys.push(key)
    part.positions.push(position)
    bySlot.set(slot, part)
  })
  if (bySlot.size === 1) return undefined
  return Array.from(bySlot.values(), ({ keys, positions }) => ({
    command: { ...command, args: [name, ...keys] },
    positions,
  }))
}

/** The reply of the whole: values back in their places, or counts added up. */
export function joinParts(parts: readonly Part[], replies: readonly Reply[]): Reply {
  if (typeof replies[0] === 'number') {
    return replies.reduce<number>((sum, reply) => sum + (reply as number), 0)
  }
  const whole: Reply[] = []
  parts.forEach(({ positions }, i) => {
    positions.forEach((position, j) => {
      whole[position] = (replies[i] as Reply[])[j] as Reply
    })
  })
  return whole
}

/** The one slot that all keys are in, as MULTI needs it; 0 if there are no keys. */
export function commonSlot(commands: readonly Command[], Native: CommandType): number {
  let common: number | undefined
  for (const { args } of commands) {
    const [name, ...rest] = args as [string, ...Arg[]]
    for (const key of new Native(name, rest.map(toKey)).getKeys()) {
      const slot = slotOf(key, Native)
      common ??= slot
      if (slot !== common) {
        throw new DriverFailure({
          kind: 'invalid',
          outcome: 'not-applied',
          detail: 'the keys are in different slots of the cluster; give them a common {hash tag}',
        })
      }
    }
  }
  return common ?? 0
}

function slotOf(key: Arg, Native: CommandType): number {
  return new Native('GET', [toKey(key)]).getSlot() as number
}

function toKey(key: Arg): string | Buffer {
  return key instanceof Uint8Array ? Buffer.from(key) : String(key)
}

/**
 * SCAN's cursor over a whole cluster: the node's own cursor and which master, in the order of their
 * addresses, it belongs to. `0` is the start and, as everywhere, the end.
 */
export function parseCursor(cursor: string): { own: string; node: number } {
  const match = /^(\d{1,20})(?:@(\d{1,5}))?$/.exec(cursor)
  if (match === null) {
    throw new DriverFailure({
      kind: 'invalid',
      outcome: 'not-applied',
      detail: 'the cursor is not one of ours',
    })
  }
  return { own: match[1] as string, node: Number(match[2] ?? 0) }
}

export function formatCursor(own: string, node: number, nodes: number): string {
  if (own !== '0') return `${own}@${node}`
  return node + 1 < nodes ? `0@${node + 1}` : '0'
}
