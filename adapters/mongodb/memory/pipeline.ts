import type { Document, Pipeline } from '../../../src/mongodb/index.ts'
import { combining, distinct, type Expressions, groupKey } from './expressions.ts'
import { compile, type Evaluate, hasOperators } from './filter.ts'
import { toNumber } from './numbers.ts'
import { field, split, valuesAt } from './paths.ts'
import { compileProjection, withField, withoutField } from './projection.ts'
import { refuse, unsupported } from './refusals.ts'
import { comparator } from './sort.ts'
import { compare, isDocument, isNumeric, keyOf } from './values.ts'

type Documents = readonly Document[]
type Variables = Readonly<Record<string, unknown>>

/** The collections that stages read and write by name, in one database. */
export interface Surroundings {
  read(collection: string): Documents
  /** `$out` */
  replaceAll(collection: string, documents: Documents): void
  /** `$merge`: by `_id` */
  merge(collection: string, documents: Documents, into: Document): void
}

/** Runs pipelines: the stages that depend on BSON's types are here, the others are mingo's. */
export class Pipelines {
  readonly #expressions: Expressions

  constructor(expressions: Expressions) {
    this.#expressions = expressions
  }

  run(
    documents: Documents,
    pipeline: Pipeline,
    around: Surroundings,
    variables: Variables = {},
  ): Documents {
    for (const stage of pipeline) {
      const [name, ...others] = Object.keys(stage)
      if (name === undefined || others.length > 0) {
        refuse('badValue', 'A pipeline stage specification object must contain exactly one field.')
      }
      if (!/^\$(match|lookup|facet|unionWith)$/.test(name)) this.#check(name, stage[name])
    }
    return pipeline.reduce<Documents>((before, stage) => {
      const [[name, operand] = ['', undefined]] = Object.entries(stage)
      return this.#stage(name, operand, before, around, variables)
    }, documents)
  }

  /** For an update: one document, and only the stages that make one of one. */
  transform(document: Document, pipeline: Pipeline): Document {
    for (const stage of pipeline) {
      const [name = ''] = Object.keys(stage)
      if (transforming.has(name)) continue
      refuse('badValue', `${name} is not allowed to be used within an update`)
    }
    return this.run([document], pipeline, nowhere)[0] as Document
  }

  #check(name: string, operand: unknown): void {
    if (name === '$group' && isDocument(operand)) {
      for (const [field, spec] of Object.entries(operand)) {
        this.#expressions.check(field === '_id' ? spec : Object.values(spec as Document))
      }
    } else if (/^\$(addFields|set|project|replaceRoot|replaceWith|sortByCount)$/.test(name)) {
      this.#expressions.check(operand)
    }
  }

  #stage(
    name: string,
    operand: unknown,
    documents: Documents,
    around: Surroundings,
    variables: Variables,
  ): Documents {
    const evaluate: Evaluate = (document, expression) =>
      this.#expressions.evaluate(document, expression, variables)
    switch (name) {
      case '$match': {
        const predicate = compile(documentOf(name, operand), evaluate)
        return documents.filter((document) => predicate(document))
      }
      case '$sort':
        return [...documents].sort(comparator(documentOf(name, operand)))
      case '$limit':
        return documents.slice(0, countOf(name, operand, 1))
      case '$skip':
        return documents.slice(countOf(name, operand, 0))
      case '$count':
        if (typeof operand !== 'string' || !/^[^$.][^.]*$/.test(operand)) {
          refuse('badValue', 'the count field must be a non-empty string')
        }
        return documents.length === 0 ? [] : [{ [operand]: documents.length }]
      case '$project':
        return documents.map(projectionOf(operand, evaluate))
      case '$addFields':
      case '$set':
        return documents.map((document) => added(document, documentOf(name, operand), evaluate))
      case '$unset':
        return [operand]
          .flat()
          .reduce<Documents>(
            (all, path) => all.map((one) => withoutField(one, split(path as string)) as Document),
            documents,
          )
      case '$replaceRoot':
        return documents.map((one) => rootOf(evaluate(one, documentOf(name, operand).newRoot)))
      case '$replaceWith':
        return documents.map((document) => rootOf(evaluate(document, operand)))
      case '$group':
        return this.#group(documents, documentOf(name, operand), evaluate)
      case '$sortByCount': {
        const groups = this.#group(documents, { _id: operand, count: { $sum: 1 } }, evaluate)
        return [...groups].sort(comparator({ count: -1 }))
      }
      case '$bucket':
        return this.#bucket(documents, documentOf(name, operand), evaluate)
      case '$sample': {
        const { size } = documentOf(name, operand)
        return shuffled(documents).slice(0, countOf(name, size, 1))
      }
      case '$unwind':
        return documents.flatMap(unwinding(operand))
      case '$facet': {
        const facets = Object.entries(documentOf(name, operand)).map(([facet, pipeline]) => [
          facet,
          this.run(documents, pipeline as Pipeline, around, variables),
        ])
        return [Object.fromEntries(facets)]
      }
      case '$lookup':
        return this.#lookup(documents, documentOf(name, operand), around, evaluate, variables)
      case '$unionWith': {
        const { coll, pipeline = [] } = (
          isDocument(operand) ? operand : { coll: operand }
        ) as Document
        const others = around.read(coll as string)
        return [...documents, ...this.run(others, pipeline as Pipeline, around, variables)]
      }
      case '$out':
        if (typeof operand !== 'string') unsupported('$out to another database')
        around.replaceAll(operand, documents)
        return []
      case '$merge': {
        const into = isDocument(operand) ? operand : { into: operand }
        if (typeof into.into !== 'string') unsupported('$merge to another database')
        if (into.on !== undefined && keyOf(listOf(into.on)) !== '["_id"]') {
          unsupported('$merge on other fields than _id')
        }
        around.merge(into.into, documents, into)
        return []
      }
      default:
        return this.#expressions.stage(name, documents, operand, (other) => [...around.read(other)])
    }
  }

  #group(
    documents: Documents,
    spec: Document,
    evaluate: Evaluate,
    idOf = (document: Document) => evaluate(document, spec._id),
  ): Document[] {
    const { _id: _, ...fields } = spec
    if (!('_id' in spec)) refuse('badValue', 'a group specification must include an _id')
    const groups = new Map<string, { id: unknown; members: Document[] }>()
    for (const document of documents) {
      const id = idOf(document) ?? null
      const key = groupKey(id)
      const group = groups.get(key)
      if (group === undefined) groups.set(key, { id, members: [document] })
      else group.members.push(document)
    }
    const accumulators = Object.entries(fields).map(([name, accumulator]) => {
      if (!hasOperators(accumulator)) refuse('badValue', 'The field must be an accumulator object')
      const [[operator, expression] = ['', undefined]] = Object.entries(accumulator)
      return { name, operator, expression }
    })
    return [...groups.values()].map(({ id, members }) => {
      const result: Document = { _id: id }
      for (const { name, operator, expression } of accumulators) {
        result[name] = this.#accumulate(operator, expression, members, evaluate)
      }
      return result
    })
  }

  #bucket(documents: Documents, spec: Document, evaluate: Evaluate): Documents {
    const { groupBy, boundaries, output = { count: { $sum: 1 } } } = spec
    if (!Array.isArray(boundaries) || boundaries.length < 2) {
      refuse('badValue', "The $bucket 'boundaries' must be an array of at least two")
    }
    const last = boundaries.at(-1)
    const boundaryOf = (document: Document) => {
      const value = evaluate(document, groupBy)
      const low = boundaries.findLast((boundary) => compare(boundary, value) <= 0)
      if (low !== undefined && compare(value, last) < 0) return low
      if ('default' in spec) return spec.default
      return refuse('badValue', '$bucket could not find a matching branch, and there is no default')
    }
    const groups = this.#group(
      documents,
      { _id: null, ...(output as Document) },
      evaluate,
      boundaryOf,
    )
    return groups.sort(comparator({ _id: 1 }))
  }

  #accumulate(
    operator: string,
    expression: unknown,
    members: readonly Document[],
    evaluate: Evaluate,
  ): unknown {
    const values = () => members.map((document) => evaluate(document, expression))
    const combine = combining[operator]
    if (combine !== undefined) return combine(values(), this.#expressions.arithmetic)
    switch (operator) {
      case '$count':
        return members.length
      case '$first':
        return evaluate(members[0] as Document, expression) ?? null
      case '$last':
        return evaluate(members.at(-1) as Document, expression) ?? null
      case '$push':
        return values().filter((value) => value !== undefined)
      case '$addToSet':
        return distinct(values().filter((value) => value !== undefined))
      case '$mergeObjects':
        return Object.assign({}, ...values().filter(isDocument))
      default:
        return this.#expressions.accumulate(operator, members, expression)
    }
  }

  #lookup(
    documents: Documents,
    { from, localField, foreignField, let: bindings = {}, pipeline = [], as }: Document,
    around: Surroundings,
    evaluate: Evaluate,
    variables: Variables,
  ): Document[] {
    const others = around.read(from as string)
    return documents.map((document) => {
      let found = others
      if (typeof localField === 'string' && typeof foreignField === 'string') {
        const values = valuesAt(document, localField, false)
        const filter = { [foreignField]: { $in: values.length > 0 ? values : [null] } }
        const predicate = compile(filter, evaluate)
        found = others.filter((one) => predicate(one))
      }
      const bound = Object.entries(bindings as Document).map(([name, expression]) => [
        name,
        evaluate(document, expression),
      ])
      const all = { ...variables, ...Object.fromEntries(bound) }
      const joined = this.run(found, pipeline as Pipeline, around, all)
      return withField(document, split(as as string), [...joined]) as Document
    })
  }
}

const transforming: ReadonlySet<string> = new Set(
  ['addFields', 'set', 'project', 'unset', 'replaceRoot', 'replaceWith'].map((name) => `$${name}`),
)

const nowhere: Surroundings = {
  read: () => [],
  replaceAll() {},
  merge() {},
}

const listOf = (value: unknown): unknown[] => (Array.isArray(value) ? value : [value])

function documentOf(name: string, operand: unknown): Document {
  return isDocument(operand)
    ? operand
    : refuse('badValue', `the ${name} specification must be an object`)
}

function countOf(name: string, operand: unknown, least: number): number {
  const count = isNumeric(operand) ? toNumber(operand) : Number.NaN
  if (Number.isInteger(count) && count >= least) return count
  return refuse('badValue', `the ${name} specification must be a whole number from ${least}`)
}

function projectionOf(operand: unknown, evaluate: Evaluate): (document: Document) => Document {
  const spec = documentOf('$project', operand)
  if (Object.keys(spec).length === 0) refuse('badValue', '$project requires at least one field')
  const projection = compileProjection(spec, evaluate, false)
  return (document) => projection(document)
}

function added(document: Document, spec: Document, evaluate: Evaluate): Document {
  let result = document
  const add = (path: readonly string[], expression: unknown) => {
    if (isDocument(expression) && !hasOperators(expression) && Object.keys(expression).length > 0) {
      for (const [name, below] of Object.entries(expression)) add([...path, ...split(name)], below)
      return
    }
    result = withField(result, path, evaluate(document, expression)) as Document
  }
  for (const [path, expression] of Object.entries(spec)) add(split(path), expression)
  return result
}

function shuffled(documents: Documents): Document[] {
  const result = [...documents]
  for (let i = result.length - 1; i > 0; i--) {
    const j = Math.floor(Math.random() * (i + 1))
    ;[result[i], result[j]] = [result[j] as Document, result[i] as Document]
  }
  return result
}

function rootOf(value: unknown): Document {
  return isDocument(value) ? value : refuse('badValue', "'newRoot' must evaluate to an object")
}

function unwinding(operand: unknown): (document: Document) => Document[] {
  const options = isDocument(operand) ? operand : { path: operand }
  const { path, includeArrayIndex, preserveNullAndEmptyArrays } = options as Document
  if (typeof path !== 'string' || !path.startsWith('$')) {
    refuse('badValue', "path option to $unwind stage should be prefixed with a '$'")
  }
  const parts = split(path.slice(1))
  return (document) => {
    const value = parts.reduce<unknown>(
      (parent, name) => (isDocument(parent) ? field(parent, name) : undefined),
      document,
    )
    const numbered = (one: Document, index: bigint | null) =>
      typeof includeArrayIndex === 'string'
        ? (withField(one, split(includeArrayIndex), index) as Document)
        : one
    if (Array.isArray(value) && value.length > 0) {
      return value.map((element, i) =>
        numbered(withField(document, parts, element) as Document, BigInt(i)),
      )
    }
    if (value !== undefined && value !== null && !Array.isArray(value))
      return [numbered(document, null)]
    if (preserveNullAndEmptyArrays !== true) return []
    const bare = Array.isArray(value) ? (withoutField(document, parts) as Document) : document
    return [numbered(bare, null)]
  }
}
