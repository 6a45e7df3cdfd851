import type { GroupPartitionsAssigner } from '@platformatic/kafka'

/**
 * Round robin, topic by topic, over the members that want the topic. The library's own gives topics to members
 * that have not subscribed to them, and leaves out those that its leader has not.
 */
export const assign: GroupPartitionsAssigner = (_leader, members, _topics, metadata) => {
  const ids = [...members.keys()].sort()
  const assignments = ids.map((memberId) => ({
    memberId,
    assignments: new Map<string, { topic: string; partitions: number[] }>(),
  }))
  let turn = 0
  for (const topic of [...metadata.topics.keys()].sort()) {
    const interested = assignments.filter(({ memberId }) => {
      return members.get(memberId)?.topics?.includes(topic)
    })
    const count = metadata.topics.get(topic)?.partitionsCount ?? 0
    for (let partition = 0; partition < count && interested.length > 0; partition++) {
      const own = interested[turn++ % interested.length]?.assignments
      const assigned = own?.get(topic)
      if (assigned === undefined) own?.set(topic, { topic, partitions: [partition] })
      else assigned.partitions.push(partition)
    }
  }
  return assignments
}
