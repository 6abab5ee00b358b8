import { once } from 'node:events';
import { createServer } from 'node:net';
import { claimPort } from '../../../dev/tools/ports';

test('names a taken port, what wanted it, and the flag that changes it', async () => {
  const port = await claimPort({ port: 0, purpose: 'the first', changeWith: '--first-port' });
  const taken = createServer().listen(port, '127.0.0.1');
  await once(taken, 'listening');
  const claim = claimPort({ port, purpose: 'Temporal', changeWith: '--temporal-port' });
  await expect(claim).rejects.toThrow(
    `Port ${port} on 127.0.0.1, wanted for Temporal, is taken by another program. Choose another with --temporal-port.`,
  );
  taken.close();
});

test('takes a free port from below the range that the system hands out by itself', async () => {
  const port = await claimPort({ port: 0, purpose: 'anything', changeWith: '--port' });
  expect(port).toBeGreaterThanOrEqual(20_000);
  expect(port).toBeLessThan(32_768);
});
