export type { RedisFixture, RedisTarget } from './redis/fixture.ts'
export { redisSuite } from './redis.ts'
export { type Case, type Runner, runCase, runSuite, type Suite } from './suite.ts'
