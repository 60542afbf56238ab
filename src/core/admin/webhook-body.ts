// What an operator writes to change a webhook secret.
import { object, wholeNumber } from './fields.ts'

const MAX_GRACE_SECONDS = 30 * 86_400

export const webhookRotationBody = object({
  grace_seconds: wholeNumber({ min: 0, max: MAX_GRACE_SECONDS }),
})
