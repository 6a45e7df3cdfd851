import type { Kafka } from '../kafka/index.ts'
import type { Face } from './face.ts'
import { ConsumerInstances } from './kafka-consumers.ts'
import { upstashFace } from './kafka-upstash.ts'
import { restFace } from './kafka-v2.ts'

/** Kafka REST v2 and the Upstash Kafka REST protocol, side by side: one set of consumers behind both. */
export function kafkaFaces(kafka: Kafka): Face[] {
  const instances = new ConsumerInstances(kafka)
  return [restFace(kafka, instances), upstashFace(kafka, instances)]
}
