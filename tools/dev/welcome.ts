// What a newcomer reads: enough to get a first streamed answer by copy and paste.
import type { ReadyLine } from './state.ts'

export function welcome(ready: ReadyLine, direct: boolean): string {
  const { url, keys } = ready
  return `
Sluice is ready${direct ? " (the built bundle, on workerd's own socket)" : ', and reloads when src/ changes'}

  gateway      ${url}
  upstream     ${ready.upstream}
  redis        ${ready.redis}
  admin token  ${ready.admin_token}

  key, free        ${keys.free}
  key, premium     ${keys.premium}
  key, enterprise  ${keys.enterprise}

A first streamed answer:

  curl -N ${url}/v1/messages \\
    -H 'x-api-key: ${keys.premium}' \\
    -H 'anthropic-version: 2023-06-01' -H 'content-type: application/json' \\
    -d '{"model":"claude-sonnet-5-5","max_tokens":200,"stream":true,"messages":[{"role":"user","content":"Why is the sky blue?"}]}'

Claude Code through this gateway:

  export ANTHROPIC_BASE_URL=${url}
  export ANTHROPIC_AUTH_TOKEN=${keys.enterprise}

Dashboard: ${url}/dashboard
Stop with Ctrl-C. State lies in the state directory, and is found again at the next start.
`
}
