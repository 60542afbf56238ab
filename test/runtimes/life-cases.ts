// The gateway as a process: how it starts, refuses to start, stops, and what is kept when it is killed.
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { claudeCall, eventsOf } from '../support/claude-call.ts'
import { eventually } from '../support/eventually.ts'
import { newTag } from '../support/gateway-simulator.ts'
import { open, readAll, readUntil, send } from '../support/raw-http.ts'
import { type RuntimeName, startRefused, startRuntime } from './runtime-process.ts'
import { openRuntimeWorld, type RuntimeWorld } from './runtime-world.ts'

export function describeLife(runtime: RuntimeName): void {
  let world: RuntimeWorld
  beforeAll(async () => {
    world = await openRuntimeWorld()
  })
  afterAll(() => world.close())

  const startIt = (args: readonly string[] = []) =>
    startRuntime({ runtime, database: world.database, settings: world.settings, args })

  const stored = (tenant: string): unknown => {
    const db = new DatabaseSync(world.database, { readOnly: true })
    try {
      const sql = 'SELECT sum(requests) AS requests, sum(output_tokens) AS tokens FROM usage'
      return db.prepare(`${sql} WHERE tenant = ?`).get(tenant)
    } finally {
      db.close()
    }
  }

  describe('the process', { concurrent: true }, () => {
    test('refuses to start with a list of every problem, and shows no value', async () => {
      const { code, stderr } = await startRefused({
        runtime,
        database: world.database,
        settings: { ...world.settings, KEY_PEPPER: 'too-short', SLUICE_QUEUE_LENGHT: '1' },
        args: ['--grace-seconds', 'soon'],
      })
      expect(code).toBe(1)
      expect(stderr).toContain('KEY_PEPPER: expected at least 32')
      expect(stderr).toContain('SLUICE_QUEUE_LENGHT: there is no such setting')
      expect(stderr).toContain('--grace-seconds: expected')
      expect(stderr).not.toContain('too-short')
      expect(stderr).not.toContain('at parseConfig')
    })

    test('refuses to start where another listens, and says so in a line', async () => {
      const { code, stderr } = await startRefused({
        runtime,
        database: world.database,
        settings: world.settings,
        args: ['--port', String(world.simulator.port)],
      })
      expect(code).toBe(1)
      expect(stderr).toMatch(/^Cannot start: [^\n]*\n$/)
    })

    test('killed, keeps the usage of what had ended, and goes on with it', async () => {
      const key = await world.newKey('survivor')
      const first = await startIt()
      const answer = await send(first.url, claudeCall({ key, fields: { max_tokens: 40 } }))
      expect(answer.status).toBe(200)
      const kept = await eventually(
        () => stored('survivor') as { requests: number | null },
        ({ requests }) => requests === 1,
        { withinMs: 2_000 },
      )
      expect(kept.requests).toBe(1)
      await first.stop('SIGKILL')
      const second = await startIt()
      await send(second.url, claudeCall({ key, fields: { max_tokens: 40 } }))
      const usage = await send(second.url, { path: '/v1/usage', headers: [['x-api-key', key]] })
      expect(JSON.parse(usage.body.toString())).toMatchObject({ data: [{ requests: 2 }] })
      expect(await second.stop()).toBe(0)
    })

    test('told to stop, lets a stream come to its end', async () => {
      const key = await world.newKey('patient')
      const gateway = await startIt()
      const { response } = await open(gateway.url, {
        ...claudeCall({ key, fields: { stream: true }, fault: 'stall;after=4;ms=700' }),
        ownConnection: true,
      })
      await readUntil(response, 'content_block_delta')
      const exited = gateway.stop()
      await gateway.awaitLine((line) => line['event'] === 'stopping')
      // Refused by the runtime, which listens no more, or by the gateway.
      const late = await send(gateway.url, claudeCall({ key })).catch(() => null)
      if (late !== null) {
        expect([late.status, late.headers['sluice-reason']]).toEqual([503, 'draining'])
        expect(late.headers['x-should-retry']).toBe('true')
      }
      const rest = await readAll(response)
      expect(eventsOf(rest).at(-1)?.event).toBe('message_stop')
      expect(await exited).toBe(0)
      expect(stored('patient')).toMatchObject({ requests: 1 })
    })

    test('told to stop, waits for an answer that is not streamed', async () => {
      const key = world.keys.premium
      const gateway = await startIt()
      const tag = newTag()
      const answering = send(
        gateway.url,
        // One that uses nothing, so that no bill to write holds the process up.
        claudeCall({
          key,
          tag,
          path: '/v1/messages/count_tokens',
          fields: { max_tokens: undefined },
          fault: 'slow=700',
        }),
      )
      await world.simulator.journal.wait({ tag, state: 'arrived' })
      const exited = gateway.stop()
      expect((await answering).status).toBe(200)
      expect(await exited).toBe(0)
    })

    test('told to stop, cuts what takes longer than the grace, and bills it', async () => {
      const key = await world.newKey('cut')
      const gateway = await startIt(['--grace-seconds', '1'])
      const { response } = await open(gateway.url, {
        ...claudeCall({ key, fields: { stream: true }, fault: 'stall;after=6' }),
        ownConnection: true,
      })
      await readUntil(response, 'content_block_delta')
      response.on('error', () => {})
      expect(await gateway.stop()).toBe(0)
      expect(stored('cut')).toMatchObject({ requests: 1 })
      expect((stored('cut') as { tokens: number }).tokens).toBeGreaterThan(0)
    })
  })
}
