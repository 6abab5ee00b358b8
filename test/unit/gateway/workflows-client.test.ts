import { ServiceError, type Client } from '@temporalio/client';
import { limits } from '../../../src/contracts/limits';
import { createWorkflowsClient } from '../../../src/gateway/workflows-client';
import { until } from '../../support/until';

describe('a dry run of the sweep', () => {
  // Of 1,200 calls whose time ran out the development server ended two with CANCELLED.
  it.each([
    ['DEADLINE_EXCEEDED', 4],
    ['CANCELLED', 1],
  ])('has no report yet when the wait for it ends with %s', async (_name, code) => {
    const cut = Object.assign(new Error('the call is cut'), { code, details: '', metadata: {} });
    const client = {
      withDeadline: async <Result>(_deadline: number, call: () => Promise<Result>) => await call(),
      workflow: {
        start: () => Promise.resolve({ result: () => Promise.reject(new ServiceError('Failed to get the history', { cause: cut })) }),
      },
    } as unknown as Client;
    expect(await createWorkflowsClient(client, { deadlineMs: 1_000 }).dryRunSweep({ waitMs: 300 })).toBeNull();
  });
});

describe('the start of submitted jobs', () => {
  const startingClient = (start: () => Promise<unknown>): Client =>
    ({ withDeadline: async <Result>(_at: number, call: () => Promise<Result>) => await call(), workflow: { start } }) as unknown as Client;
  const submitted = { userId: 'u', requestId: 'r' };

  it('is asked of Temporal for a few at a time, and who waits too long for its turn is told so while the others go on', async () => {
    const ends: (() => void)[] = [];
    const workflows = createWorkflowsClient(
      startingClient(async () => await new Promise<void>((resolve) => ends.push(resolve))),
      {
        deadlineMs: 100,
      },
    );
    const starts = Array.from({ length: limits.startsAtOnce + 2 }, (_, n) => workflows.startApplyJob({ jobId: `${n}`, ...submitted }));
    expect(await Promise.all(starts.slice(limits.startsAtOnce))).toEqual([{ kind: 'behind' }, { kind: 'behind' }]);
    expect(ends).toHaveLength(limits.startsAtOnce);
    for (const end of ends) end();
    expect(await Promise.all(starts.slice(0, limits.startsAtOnce))).toEqual(Array(limits.startsAtOnce).fill({ kind: 'started' }));
    const next = workflows.startApplyJob({ jobId: 'next', ...submitted });
    await until(() => ends.length > limits.startsAtOnce, { what: 'the next one is asked for' });
    ends.at(-1)?.();
    expect(await next).toEqual({ kind: 'started' });
  });

  it('comes to each in its turn, also where one before it fails', async () => {
    const asked: string[] = [];
    const client = startingClient(async () => await Promise.reject(new Error('away')));
    const workflows = createWorkflowsClient(client, { deadlineMs: 60_000 });
    const kinds = await Promise.all(
      Array.from({ length: limits.startsAtOnce * 3 }, async (_, n) => {
        const { kind } = await workflows.startApplyJob({ jobId: `${n}`, ...submitted });
        asked.push(`${n}`);
        return kind;
      }),
    );
    expect(new Set(kinds)).toEqual(new Set(['unreachable']));
    expect(asked).toEqual(asked.toSorted((a, b) => Number(a) - Number(b)));
  });
});
