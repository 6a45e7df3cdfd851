export { KafkaAdmin } from './admin.ts'
export {
  type ConsumerHealthOptions,
  type ConsumerOptions,
  KafkaConsumer,
  type PollOptions,
} from './consumer.ts'
export type {
  AdminDriver,
  ConsumerDriver,
  ConsumerSetup,
  KafkaCapabilities,
  KafkaDriver,
  Membership,
  NewTopic,
  PartitionLag,
  ProduceBatch,
  ProducerDriver,
  ProducerRecord,
  ProducerSetup,
  RecordMetadata,
  TopicDescription,
  TopicPartition,
  TopicPartitionOffset,
} from './driver.ts'
export { classifyCode, KafkaError } from './errors.ts'
export { Kafka } from './kafka.ts'
export { type Header, KafkaMessage, type MessageInit, type Payload } from './message.ts'
export { partitionForKey } from './partitioner.ts'
export { KafkaProducer, type ProducerOptions } from './producer.ts'
export type { OutgoingMessage } from './records.ts'
