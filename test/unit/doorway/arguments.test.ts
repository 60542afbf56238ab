import { expect, test } from 'vitest'
import { readArguments } from '../../../src/doorway/arguments.ts'
import { Deferred } from '../../../src/doorway/deferred.ts'

test.each([
  [
    'nothing given',
    [],
    {},
    { host: '127.0.0.1', port: 8787, database: '.sluice/sluice.db', graceMs: 10_000 },
  ],
  ['the port of the platform', [], { PORT: '9000' }, { port: 9000 }],
  ['an argument before the environment', ['--port', '0'], { PORT: 'x' }, { port: 0 }],
  [
    'everything given',
    ['--host=::', '--database=a/b.db', '--grace-seconds=0'],
    {},
    { host: '::', database: 'a/b.db', graceMs: 0 },
  ],
])('%s', (_, args, env, expected) => {
  expect(readArguments(args, env)).toMatchObject({ kind: 'arguments', arguments: expected })
})

test('all that is wrong is said at once, by the name that gave it', () => {
  const args = ['--host=', '--database=', '--grace-seconds', '1.5']
  expect(readArguments(args, { PORT: '65536' })).toEqual({
    kind: 'bad',
    problems: [
      'PORT: expected a whole number from 0 to 65535',
      '--grace-seconds: expected a whole number from 0 to 3600',
      '--host: is empty',
      '--database: is empty',
    ],
  })
  expect(readArguments(['--prot', '1'], {})).toMatchObject({ kind: 'bad' })
})

test('deferred work is waited for, what joins meanwhile included, and failures are told', async () => {
  const failures: unknown[] = []
  const deferred = new Deferred((error) => void failures.push(error))
  const done: string[] = []
  const first = Promise.withResolvers<void>()
  deferred.add(
    first.promise.then(() => {
      done.push('first')
      deferred.add(Promise.resolve().then(() => done.push('second')))
    }),
  )
  deferred.add(Promise.reject(new Error('no')))
  const settled = deferred.settled()
  first.resolve()
  await settled
  expect(done).toEqual(['first', 'second'])
  expect(failures).toEqual([new Error('no')])
})
