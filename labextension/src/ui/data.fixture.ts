import type { RunsPayload } from './types';

/** A small payload for tests. */
export function payload(): RunsPayload {
  return {
    version: 1,
    kind: 'runs',
    view: '0123456789ab',
    title: 'taxi',
    experiment: 'taxi',
    query: '',
    total: 4,
    matched: 4,
    note: '',
    now: 10_000,
    data: {
      n: 4,
      id: ['a', 'b', 'c', 'd'],
      name: ['one', '<img src=x onerror=alert(1)>', 'three', 'four'],
      status: ['FINISHED', 'FAILED', 'RUNNING', 'FINISHED'],
      start: [4000, 3000, 2000, 1000],
      end: [5000, 3500, null, 1100],
      lifecycle: ['active', 'active', 'active', 'active'],
      user: ['u', 'u', 'u', 'u'],
      experiment: ['taxi', 'taxi', 'taxi', 'taxi'],
      source: ['', '', '', ''],
      color: [0, 1, 2, 3],
      group: ['', '', '', ''],
      attempt: [null, null, null, null],
      tags: { dict: [['stage', 'good'], ['stage', 'bad'], ['team', 'x']], codes: [[0], [1], [0, 2], []] },
      evalSets: { dict: ['v1', 'v2'], codes: [[0], [0, 1], [1], []] },
      metrics: [{ key: 'rmse', values: [3, null, 'NaN', 1] }],
      params: [{ key: 'lr', dict: ['0.1', '0.02'], codes: [0, 1, -1, 0] }]
    }
  };
}
