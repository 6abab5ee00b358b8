import { createServer } from 'node:net';

/** Answers a port that nobody listens on: the wanted one, or any free one for 0. Errors name the port and what changes it. */
export async function claimPort(wanted: { port: number; host?: string; purpose: string; changeWith: string }): Promise<number> {
  const host = wanted.host ?? '127.0.0.1';
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => {
      const why = error.code === 'EADDRINUSE' ? 'is taken by another program' : `cannot be used (${error.code})`;
      reject(new Error(`Port ${wanted.port} on ${host}, wanted for ${wanted.purpose}, ${why}. Choose another with ${wanted.changeWith}.`));
    });
    server.listen({ port: wanted.port, host }, () => {
      const address = server.address();
      const port = typeof address === 'object' && address ? address.port : wanted.port;
      server.close(() => resolve(port));
    });
  });
}
