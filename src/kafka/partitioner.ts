/**
 * The partition of a key, the same that Kafka's own clients choose, so that all of a key's messages are in
 * one: murmur2, its sign bit cleared, modulo the count.
 * https://github.com/apache/kafka/blob/4.0.0/clients/src/main/java/org/apache/kafka/clients/producer/internals/BuiltInPartitioner.java
 */
export function partitionForKey(key: Uint8Array, partitions: number): number {
  return (murmur2(key) & 0x7fffffff) % partitions
}

/** https://github.com/apache/kafka/blob/4.0.0/clients/src/main/java/org/apache/kafka/common/utils/Utils.java */
function murmur2(data: Uint8Array): number {
  const view = new DataView(data.buffer, data.byteOffset, data.length)
  const m = 0x5bd1e995
  const tail = data.length & ~3
  let h = 0x9747b28c ^ data.length
  for (let i = 0; i < tail; i += 4) {
    const k = Math.imul(view.getInt32(i, true), m)
    h = Math.imul(h, m) ^ Math.imul(k ^ (k >>> 24), m)
  }
  const rest = data.length - tail
  if (rest > 2) h ^= view.getUint8(tail + 2) << 16
  if (rest > 1) h ^= view.getUint8(tail + 1) << 8
  if (rest > 0) h = Math.imul(h ^ view.getUint8(tail), m)
  h = Math.imul(h ^ (h >>> 13), m)
  return h ^ (h >>> 15)
}
