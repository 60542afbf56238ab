// The Bun doorway: `bun src/bun.ts`. Everything but the server and the database is shared, in src/doorway.
import { serve } from 'bun'
import { Database } from 'bun:sqlite'
import { runGateway } from './doorway/run.ts'

runGateway({
  name: 'bun',
  openDatabase: (path) => new Database(path, { create: true, readwrite: true }),
  listen: ({ host, port, fetch }) => {
    const server = serve({
      hostname: host,
      port,
      fetch: (request, self) => fetch(request, self.requestIP(request)?.address ?? null),
      development: false,
      // Claude may be silent for minutes; our own deadlines and comment lines watch over that.
      idleTimeout: 0,
    })
    return {
      port: server.port,
      close: () => server.stop(),
      cut: () => void server.stop(true),
    }
  },
})
