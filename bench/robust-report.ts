// What a run of robustness found, as a table that a person reads.
import type { Robustness } from './robust.ts'

type Row = readonly [title: string, goal: string, measured: string, isMet: boolean]

export function renderRobustness(robust: Robustness): string {
  const { machine, malformed } = robust
  return [
    '# What the gateway withstands',
    '',
    'Made by `npm run bench -- --robust`, with everything on as in RESULTS.md.',
    `${machine.cores}; Node ${machine.node}, workerd ${machine.workerd} in \`workerd serve\`.`,
    '',
    '| | goal | measured | |',
    '| --- | --- | --- | --- |',
    ...rowsOf(robust).map(
      ([title, goal, measured, isMet]) =>
        `| ${title} | ${goal} | ${measured} | ${isMet ? 'met' : 'missed'} |`,
    ),
    '',
    ...malformed.wrong.map((wrong) => `- ${wrong}`),
  ].join('\n')
}

function rowsOf({ malformed, requests, streams, leaving }: Robustness): Row[] {
  const { sent, wrong } = malformed
  const { failures, rssMb } = requests
  const { left, openUpstreamCalls, slots, slotsFree } = leaving
  // The first sample is of a process that still compiles.
  const [warmMb = 0, lastMb = 0] = [rssMb[1], rssMb.at(-1)]
  return [
    [
      `${sent} malformed inputs`,
      'each answered 4xx in Claude’s shape',
      `${sent - wrong.length} were`,
      wrong.length === 0,
    ],
    [
      `${requests.requests} requests`,
      'none fails',
      Object.entries(failures)
        .map(([what, count]) => `${count} ${what}`)
        .join(', ') || 'none',
      Object.keys(failures).length === 0,
    ],
    [
      'memory, at each tenth of them',
      'the last at most 1.2 times the second',
      `${rssMb.join(', ')} MB`,
      lastMb <= 1.2 * warmMb,
    ],
    ...Object.entries(streams).map(([subject, held]): Row => {
      const isMet = held.opened === held.streams && held.kbPerStream <= 400
      return [
        `${held.streams} open streams, ${subject}`,
        'at most 400 KB each',
        `${held.opened} open, ${held.kbPerStream.toFixed(0)} KB each`,
        isMet,
      ]
    }),
    [
      `${left} callers that leave at any moment`,
      'no call to Claude left open, every slot free',
      `${openUpstreamCalls} open, ${slotsFree} of ${slots} slots free`,
      openUpstreamCalls === 0 && slotsFree === slots,
    ],
  ]
}
