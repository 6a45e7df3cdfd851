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
export { type Header, KafkaMessage, type MessageInit, type Payload } from './message.ts'
export { partitionForKey } from './partitioner.ts'
