import { expect, test } from 'vitest'
import manifest from '../../package.json' with { type: 'json' }

test('the scripts run on the Node of node_modules', () => {
  expect(process.versions.node).toBe(manifest.devDependencies.node)
})

test('every client library is an optional peer dependency', () => {
  expect(Object.keys(manifest)).not.toContain('dependencies')
  expect(Object.keys(manifest.peerDependenciesMeta)).toEqual(Object.keys(manifest.peerDependencies))
})
