import type { ObjectId } from 'bson'
import { expectTypeOf, test } from 'vitest'
import { mongodb } from '../../adapters/mongodb/mongodb.ts'
import { MongoDB, type WithId } from '../../src/mongodb/index.ts'

interface User {
  name: string
  age?: number
  tags: string[]
  address: { city: string }
}

// Nothing is called here: it need not run, only compile.
const check = (_: () => unknown) => {}
const users = new MongoDB(mongodb()).database().collection<User>('users')

test('a filter knows the fields, their types and the operators', () => {
  check(() => users.find({ name: 'a', age: { $gte: 18, $lt: 99 }, tags: 'x' }))
  check(() => users.find({ name: /^a/, tags: { $all: ['x'] }, 'address.city': 'Rome' }))
  check(() => users.find({ $or: [{ name: { $in: ['a', 'b'] } }, { age: { $exists: false } }] }))
  // @ts-expect-error it is a text
  check(() => users.find({ name: 7 }))
  // @ts-expect-error there is no such field
  check(() => users.find({ nmae: 'a' }))
  // @ts-expect-error there is no such operator
  check(() => users.find({ age: { $greater: 1 } }))
  // @ts-expect-error a filter that lost its value would find everything
  check(() => users.find({ name: undefined }))
})

test('$where is an error of type, unless the client allows it', () => {
  // @ts-expect-error JavaScript at the server
  check(() => users.find({ $where: 'true' }))
  const documents = new MongoDB(mongodb()).database().collection('any')
  // @ts-expect-error also where the fields are not declared
  check(() => documents.find({ $where: 'true' }))
  const options = { operators: { allow: ['$where'] as const } }
  const open = new MongoDB(mongodb(), options).database().collection<User>('users')
  check(() => open.find({ $where: 'true', name: 'a' }))
})

test('an update needs operators that fit the fields', () => {
  check(() =>
    users.updateOne({}, { $set: { name: 'b', 'address.city': 'Oslo' }, $inc: { age: 1 } }),
  )
  check(() => users.updateOne({}, { $push: { tags: { $each: ['a'], $slice: 5 } } }))
  check(() => users.updateMany({}, [{ $set: { name: '$address.city' } }]))
  // @ts-expect-error that replaces the document
  check(() => users.updateOne({}, { name: 'b' }))
  // @ts-expect-error it is not a number
  check(() => users.updateOne({}, { $inc: { name: 1 } }))
  // @ts-expect-error its elements are texts
  check(() => users.updateOne({}, { $push: { tags: 7 } }))
})

test('what comes back has its _id', () => {
  const found = (): Promise<WithId<User> | null> => users.findOne({})
  check(found)
  expectTypeOf<WithId<User>['_id']>().toEqualTypeOf<ObjectId>()
  expectTypeOf<WithId<{ _id: number }>['_id']>().toEqualTypeOf<number>()
  check(async () => (await users.findOne<{ name: string }>({}))?.name.length)
  // @ts-expect-error a field is missing
  check(() => users.insertOne({ name: 'a' }))
})
