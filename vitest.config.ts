import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: 'test/engines/setup.ts',
    pool: 'forks',
    // Many tests look at deadlines, and an engine that starts takes a core for seconds: in CI, one after the other.
    maxWorkers: process.env.CI === undefined ? 2 : 1,
    testTimeout: 20_000,
    hookTimeout: 30_000,
    // Module-level state (shared timers, memoised clients) must not leak from one file into the next.
    isolate: true,
  },
})
