// The Deno doorway: `deno run … src/deno.ts`. Everything but the server and the database is shared, in src/doorway.
import { DatabaseSync } from 'node:sqlite'
import { runGateway } from './doorway/run.ts'

/** What is used of Deno, and no more. */
declare const Deno: {
  serve(
    options: {
      hostname: string
      port: number
      signal: AbortSignal
      onListen(): void
    },
    handler: (request: Request) => Response | Promise<Response>,
  ): { readonly addr: { readonly port: number }; shutdown(): Promise<void> }
}

runGateway({
  name: 'deno',
  openDatabase: (path) => new DatabaseSync(path),
  listen: ({ host, port, fetch }) => {
    const cutting = new AbortController()
    const server = Deno.serve(
      // The line that says so is ours, the same on every runtime.
      { hostname: host, port, signal: cutting.signal, onListen: () => {} },
      fetch,
    )
    return {
      port: server.addr.port,
      close: () => server.shutdown(),
      cut: () => cutting.abort(),
    }
  },
})
