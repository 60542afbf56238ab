// Every check, in the order in which they are made and shown.
import type { Check } from './check.ts'
import { adminChecks } from './checks/admin.ts'
import { authenticationChecks } from './checks/authentication.ts'
import { claudeCodeChecks } from './checks/claude-code.ts'
import { corsChecks } from './checks/cors.ts'
import { errorChecks } from './checks/errors.ts'
import { headerChecks } from './checks/headers.ts'
import { healthChecks } from './checks/health.ts'
import { messageChecks } from './checks/messages.ts'
import { modelChecks } from './checks/models.ts'

export const checks: readonly Check[] = [
  ...healthChecks,
  ...authenticationChecks,
  ...adminChecks,
  ...messageChecks,
  ...modelChecks,
  ...errorChecks,
  ...headerChecks,
  ...corsChecks,
  ...claudeCodeChecks,
]
