// What src/bun.ts uses of Bun, and no more: modules, not globals, so that no other file sees any of it.
declare module 'bun' {
  export interface Server {
    readonly port: number
    requestIP(request: Request): { readonly address: string } | null
    stop(closeActiveConnections?: boolean): Promise<void>
  }
  export function serve(options: {
    hostname: string
    port: number
    idleTimeout: number
    development: boolean
    fetch(request: Request, server: Server): Response | Promise<Response>
  }): Server
}

declare module 'bun:sqlite' {
  export class Database {
    constructor(path: string, options: { create: boolean; readwrite: boolean })
    exec(sql: string): unknown
    prepare(sql: string): { all(...values: (string | number | null)[]): unknown[] }
    close(): void
  }
}
