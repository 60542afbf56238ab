// The secrets that webhooks are signed with. None is stored: each is derived from the pepper, its owner and a number that
// an operator's rotation counts up, so a copy of the database signs nothing. While a pepper is being changed, both sign.

export interface SecretOwner {
  readonly id: string
  /** So that an id that is given again is another owner; epoch ms. */
  readonly createdAt: number
}

export interface SecretVersion {
  readonly version: number
  /** Until then the version before signs too; epoch ms. */
  readonly formerUntil: number
}

export interface WebhookSecrets {
  /** `whsec_…`, the current one first: what is signed with any of them is ours. */
  of(owner: SecretOwner, standing: SecretVersion, now: number): Promise<readonly string[]>
}

export const FIRST_VERSION: SecretVersion = { version: 1, formerUntil: 0 }

const SECRET_BYTES = 32
/** Another purpose of the pepper has another text, and so another secret. */
const PURPOSE = 'sluice webhook secret v1'

/** @param peppers the current one first */
export function createWebhookSecrets(peppers: readonly string[]): WebhookSecrets {
  let imported: Promise<readonly CryptoKey[]> | null = null
  return {
    async of(owner, { version, formerUntil }, now) {
      imported ??= Promise.all(peppers.map(importPepper))
      const versions = version > 1 && now < formerUntil ? [version, version - 1] : [version]
      const keys = await imported
      return Promise.all(versions.flatMap((each) => keys.map((key) => derive(key, owner, each))))
    },
  }
}

const encoder = new TextEncoder()

const importPepper = (pepper: string): Promise<CryptoKey> =>
  crypto.subtle.importKey('raw', encoder.encode(pepper), 'HKDF', false, ['deriveBits'])

async function derive(
  key: CryptoKey,
  { id, createdAt }: SecretOwner,
  version: number,
): Promise<string> {
  const info = encoder.encode(JSON.stringify([PURPOSE, id, createdAt, version]))
  const bits = await crypto.subtle.deriveBits(
    { name: 'HKDF', hash: 'SHA-256', salt: new Uint8Array(32), info },
    key,
    SECRET_BYTES * 8,
  )
  return `whsec_${btoa(String.fromCharCode(...new Uint8Array(bits)))}`
}
