import { expect, test } from 'vitest'
import { message, openHouse } from '../../support/house.ts'
import { OWNED_ROUTES, SHARED_ROUTES } from '../../support/owned-routes.ts'

test("every route of the data plane that bears an id is tried with another tenant's key", async () => {
  const house = await openHouse({ answer: () => message() })
  const bearing = house.routes.filter(
    (route) => route.includes(' /v1/') && route.includes(':') && !route.startsWith('ALL '),
  )
  house.stop()
  const known = [...OWNED_ROUTES.map(({ route }) => route), ...SHARED_ROUTES]
  expect([...new Set(bearing)].toSorted()).toEqual(known.toSorted())
})
