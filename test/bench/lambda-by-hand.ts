import { Redis } from 'ioredis'

/** What one writes without dualport. */
const redis = new Redis(process.env.REDIS_URL!)

export async function handler(event: { readonly rawPath: string }): Promise<object> {
  if (event.rawPath !== '/health') return { statusCode: 404 }
  const headers = { 'content-type': 'application/health+json', 'cache-control': 'no-store' }
  try {
    await redis.ping()
    return { statusCode: 200, headers, body: '{"status":"pass"}' }
  } catch {
    return { statusCode: 503, headers, body: '{"status":"fail"}' }
  }
}
