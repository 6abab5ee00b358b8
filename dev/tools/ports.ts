import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/** Below what Linux and macOS hand out by themselves, so that nobody gets our port by chance between its choice and its use. */
const freePortMin = 20_000;
const freePortMax = 32_000;
const triesMax = 50;
/** Chosen here before, and perhaps not in use yet: of a hundred choices two would be the same. */
const given = new Set<number>();

/** Answers a port that nobody listens on: the wanted one, or any free one for 0. Errors name the port and what changes it. */
export async function claimPort(wanted: { port: number; host?: string; purpose: string; changeWith: string }): Promise<number> {
  const host = wanted.host ?? '127.0.0.1';
  for (let tries = 0; wanted.port === 0 && tries < triesMax; tries++) {
    const port = randomInt(freePortMin, freePortMax);
    if (given.has(port) || (await bindProblem(port, host)) !== undefined) continue;
    given.add(port);
    return port;
  }
  const problem = await bindProblem(wanted.port, host);
  if (problem === undefined && wanted.port !== 0) return wanted.port;
  const why = problem === 'EADDRINUSE' ? 'is taken by another program' : `cannot be used (${problem ?? 'no free one was found'})`;
  throw new Error(`Port ${wanted.port} on ${host}, wanted for ${wanted.purpose}, ${why}. Choose another with ${wanted.changeWith}.`);
}

async function bindProblem(port: number, host: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    server.listen({ port, host }, () => server.close(() => resolve(undefined)));
  });
}
