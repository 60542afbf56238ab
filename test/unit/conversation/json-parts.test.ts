// Parts of JSON as they were written.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  elementsOf,
  fieldOf,
  fieldsIn,
  printFields,
} from '../../../src/core/conversation/json-parts.ts'

const spaced = (value: unknown, space: number): string => JSON.stringify(value, null, space)

describe('the parts of a JSON text', () => {
  it('are the elements of an array, each as it was written', () => {
    expect(elementsOf(' [ 1.0 , "a\\"],[" ,{"b":[1,2]}, [] ,null ] ')).toEqual([
      '1.0',
      '"a\\"],["',
      '{"b":[1,2]}',
      '[]',
      'null',
    ])
    expect(elementsOf('[ ]')).toEqual([])
  })

  it('are the fields of an object, in their order, doubles included', () => {
    const fields = fieldsIn('{ "a" : 12345678901234567890 , "mod\\u0065l":"x", "a":{"}":"{"} }')
    expect(fields).toEqual([
      { name: 'a', value: '12345678901234567890' },
      { name: 'model', value: '"x"' },
      { name: 'a', value: '{"}":"{"}' },
    ])
    expect(fieldOf(fields, 'a')).toBe('{"}":"{"}')
    expect(fieldOf(fields, 'b')).toBeUndefined()
    expect(fieldsIn(' {} ')).toEqual([])
  })

  it('make the same value again, whatever the value and its spacing', () => {
    fc.assert(
      fc.property(fc.array(fc.jsonValue()), fc.integer({ min: 0, max: 4 }), (values, space) => {
        const parts = elementsOf(spaced(values, space))
        expect(JSON.parse(`[${parts.join(',')}]`)).toEqual(JSON.parse(spaced(values, 0)))
        expect(parts).toHaveLength(values.length)
      }),
    )
    fc.assert(
      fc.property(
        fc.dictionary(fc.string(), fc.jsonValue()),
        fc.integer({ min: 0, max: 4 }),
        (object, space) => {
          const printed = printFields(fieldsIn(spaced(object, space)))
          expect(JSON.parse(printed)).toEqual(JSON.parse(spaced(object, 0)))
        },
      ),
    )
  })
})
