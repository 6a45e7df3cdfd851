export {
  type BatchOf,
  type CommandMethods,
  Redis,
  RedisSubscription,
  type ScanOptions,
  type Settled,
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
