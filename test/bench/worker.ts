import { installPackage } from '../packaging/project.ts'
import { restWorker, workerSize } from '../packaging/worker-size.ts'
import type { Figure } from './figure.ts'
import { build } from './import.ts'

const upstashWorker = `
  import { Redis } from '@upstash/redis/cloudflare'
  export default {
    async fetch(request, env) {
      const redis = new Redis({ url: env.REDIS_URL, token: env.REDIS_TOKEN })
      return new Response(await redis.get('greeting'))
    },
  }
`

export const figures: Figure[] = [
  {
    name: 'worker.bundle',
    bare: '@upstash/redis',
    unit: 'KB gzip',
    comparison: 'total',
    target: 12,
    async measure() {
      build()
      const project = await installPackage()
      try {
        const dualport = (await workerSize(project, restWorker)) / 1024
        await project.link('@upstash/redis')
        return [{ dualport, bare: (await workerSize(project, upstashWorker)) / 1024 }]
      } finally {
        await project.remove()
      }
    },
  },
]
