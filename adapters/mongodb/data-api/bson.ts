/*
 * What the adapter uses of bson. Bundlers leave out the rest, a quarter of it; of `import('bson')` they keep all.
 * They also insist that it is installed, as it is for who imports this adapter by its name.
 */
export {
  Binary,
  BSONRegExp,
  Code,
  Decimal128,
  Double,
  EJSON,
  MaxKey,
  MinKey,
  ObjectId,
  Timestamp,
  UUID,
} from 'bson'
