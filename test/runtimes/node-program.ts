import { createInfrastructure } from '../../src/config/auto.node.ts'
import { type HealthGroup, healthHandler } from '../../src/health/index.ts'
import { serveNode } from '../../src/runtimes/node.ts'

/** A program as a user would write it: its health below `/health`, everything else is `hello`. */
const infra = createInfrastructure({ REDIS_URL: 'memory:' })
const health = healthHandler(infra.health)

const { url } = await serveNode({
  port: 0,
  drainDelayMs: Number(process.env.DRAIN_DELAY_MS),
  infra:
    process.env.CLOSE === 'fails'
      ? { health: infra.health, close: () => Promise.reject(new Error('secret')) }
      : infra,
  fetch(request) {
    const [, first, group] = new URL(request.url).pathname.split('/')
    return first === 'health' ? health(request, group as HealthGroup) : new Response('hello')
  },
})
console.log(url)
