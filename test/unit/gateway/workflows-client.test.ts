import { ServiceError, type Client } from '@temporalio/client';
import { createWorkflowsClient } from '../../../src/gateway/workflows-client';

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
