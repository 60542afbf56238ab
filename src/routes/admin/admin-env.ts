// What the door of the admin plane leaves for its routes.
import type { AdminRequest } from '../../flows/admin/open-admin.ts'
import type { ScopeVariables } from '../../middleware/request-scope.ts'

export interface AdminEnv {
  Variables: ScopeVariables & { admin: AdminRequest }
}
