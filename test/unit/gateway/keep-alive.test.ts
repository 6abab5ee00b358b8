import { createServer } from 'node:http';
import { keepIdleConnections } from '../../../src/gateway/drain';

it.each([1, 75, 4_000])('an idle connection is kept for %d s, and no other time of the server ends it before', (seconds) => {
  const server = createServer();
  keepIdleConnections(server, seconds * 1_000);
  expect(server.keepAliveTimeout).toBe(seconds * 1_000);
  expect(server.headersTimeout).toBeGreaterThan(server.keepAliveTimeout);
  expect(server.requestTimeout).toBeGreaterThanOrEqual(server.headersTimeout);
});
