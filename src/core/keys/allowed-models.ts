// The models that a caller may use: those of its key, and where it came with a token, of these only the token's.
import { matchesModel } from '../answering/model-glob.ts'

interface Holder {
  readonly models: readonly string[] | null
  readonly token?: { readonly models: readonly string[] | null }
}

export const mayUseModel = ({ models, token }: Holder, model: string): boolean =>
  allows(models, model) && allows(token?.models ?? null, model)

export const mayUseEveryModel = ({ models, token }: Holder): boolean =>
  models === null && (token?.models ?? null) === null

const allows = (globs: readonly string[] | null, model: string): boolean =>
  globs === null || matchesModel(globs, model)
