export type { BatchOf, Settled } from './batch.ts'
export {
  type CommandMethods,
  Redis,
  type ScanOptions,
  type SubscribeOptions,
} from './client.ts'
export type {
  CommandOptions,
  Commands,
  Key,
  RangeOptions,
  ScoredMember,
  SetOptions,
  StreamEntry,
  Value,
  XAddOptions,
  XReadOptions,
  ZRangeOptions,
} from './commands.ts'
export type {
  Arg,
  Command,
  Message,
  RedisCapabilities,
  RedisDriver,
  Reply,
  Subscription,
} from './driver.ts'
export { classifyReply, ReplyError } from './errors.ts'
export { RedisSubscription } from './subscription.ts'
