import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createCredentialSealer } from '../../../src/flows/seal-credential.ts'

const PEPPER = 'pepper-of-a-test-that-is-long-enough'
const sealer = createCredentialSealer([PEPPER])
const owner = { id: 'east', baseUrl: null }

const owners = fc.record({
  id: fc.stringMatching(/^[A-Za-z0-9._-]{1,64}$/),
  baseUrl: fc.option(fc.webUrl()),
})
const credentials = fc.stringMatching(/^[\x21-\x7e]{1,200}$/)

test('what is sealed is opened again, for its owner', async () => {
  await fc.assert(
    fc.asyncProperty(credentials, owners, async (credential, of) => {
      const sealed = await sealer.seal(credential, of)
      expect(await sealer.open(sealed, of)).toEqual({
        kind: 'opened',
        credential,
        isCurrent: true,
      })
    }),
  )
})

test('a sealed credential says nothing of it, and never looks the same twice', async () => {
  const credential = 'sk-ant-canary'
  const sealed = await Promise.all([1, 2].map(() => sealer.seal(credential, owner)))
  expect(sealed[0]).not.toBe(sealed[1])
  for (const text of sealed) {
    expect(Buffer.from(text, 'hex').toString('latin1')).not.toContain('canary')
  }
})

test('any change of a single character is refused', async () => {
  const sealed = await sealer.seal('sk-ant-of-some-length', owner)
  const digits = fc.constantFrom(...Array.from('0123456789abcdefABCDEFxyz- '))
  await fc.assert(
    fc.asyncProperty(fc.nat(sealed.length - 1), digits, async (at, digit) => {
      fc.pre(sealed[at] !== digit)
      const changed = `${sealed.slice(0, at)}${digit}${sealed.slice(at + 1)}`
      expect(await sealer.open(changed, owner)).toMatchObject({ kind: 'unreadable' })
    }),
    { numRuns: 500 },
  )
})

test('any text of another length is refused', async () => {
  const sealed = await sealer.seal('sk-ant-of-some-length', owner)
  for (let length = 0; length < sealed.length; length += 1) {
    expect(await sealer.open(sealed.slice(0, length), owner)).toMatchObject({ kind: 'unreadable' })
  }
  expect(await sealer.open(`${sealed}00`, owner)).toMatchObject({ kind: 'unreadable' })
})

test('a credential cannot be moved to another account or another address', async () => {
  const sealed = await sealer.seal('sk-ant-secret', owner)
  const changed = {
    kind: 'unreadable',
    problem: expect.stringContaining('changed in the database'),
  }
  expect(await sealer.open(sealed, { ...owner, id: 'west' })).toEqual(changed)
  expect(await sealer.open(sealed, { ...owner, baseUrl: 'https://evil.test' })).toEqual(changed)
})

test('under another pepper it is said that the pepper is another', async () => {
  const sealed = await createCredentialSealer(['another-pepper-of-enough-length!!']).seal(
    'k',
    owner,
  )
  expect(await sealer.open(sealed, owner)).toEqual({
    kind: 'unreadable',
    problem: expect.stringContaining('another KEY_PEPPER'),
  })
})

test('while a pepper is being replaced, both open and the first one seals', async () => {
  const old = await sealer.seal('sk-ant-old', owner)
  const both = createCredentialSealer(['next-pepper-that-is-long-enough-!!', PEPPER])
  expect(await both.open(old, owner)).toEqual({
    kind: 'opened',
    credential: 'sk-ant-old',
    isCurrent: false,
  })
  expect(await sealer.open(await both.seal('k', owner), owner)).toMatchObject({
    kind: 'unreadable',
  })
})
