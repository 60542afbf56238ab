// The Deno doorway: `deno run … src/deno.ts`. Everything but the server and the database is shared, in src/doorway.
import { DatabaseSync } from 'node:sqlite'
import { Deferred } from './doorway/deferred.ts'
import { runGateway } from './doorway/run.ts'

/** What is used of Deno, and no more. */
declare const Deno: {
  serve(
    options: {
      readonly hostname: string
      readonly port: number
      readonly signal: AbortSignal
      onListen(): void
    },
    handler: (
      request: Request,
      info: {
        readonly completed: Promise<void>
        readonly remoteAddr: { readonly hostname?: string }
      },
    ) => Response | Promise<Response>,
  ): { readonly addr: { readonly port: number }; shutdown(): Promise<void> }
}

runGateway({
  name: 'deno',
  openDatabase: (path) => new DatabaseSync(path),
  listen: ({ host, port, fetch }) => {
    const cutting = new AbortController()
    // A caller that leaves is no failure of the answer.
    const answers = new Deferred(() => {})
    const server = Deno.serve(
      // The line that says so is ours, the same on every runtime.
      { hostname: host, port, signal: cutting.signal, onListen: () => {} },
      (request, { completed, remoteAddr }) => {
        answers.add(completed)
        return fetch(request, remoteAddr.hostname ?? null)
      },
    )
    let isShut = false
    return {
      port: server.addr.port,
      // `shutdown()` comes last, since nothing can be cut after it: until then the gateway refuses new requests. An
      // answer counts as completed before its last bytes are out; `shutdown()` waits for these.
      close: async () => {
        await answers.settled()
        isShut = true
        await server.shutdown()
      },
      cut: () => {
        if (!isShut) cutting.abort()
      },
    }
  },
})
