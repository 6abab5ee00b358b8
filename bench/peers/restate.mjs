import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import * as restate from '@restatedev/restate-sdk';

const freePort = async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
};

/** A handler of three steps, on a server of its own beside Postgres: one node with its default settings. */
export const start = async ({ dir, told, done }) => {
  const [ingress, admin, fabric, service] = [await freePort(), await freePort(), await freePort(), await freePort()];
  const server = spawn(process.execPath, ['node_modules/@restatedev/restate-server/lib/index.js', '--base-dir', dir], {
    cwd: import.meta.dirname,
    stdio: ['ignore', 'ignore', 'inherit'],
    env: {
      ...process.env,
      RESTATE_LISTEN_MODE: 'tcp',
      RESTATE_BIND_ADDRESS: `127.0.0.1:${fabric}`,
      RESTATE_INGRESS__BIND_ADDRESS: `127.0.0.1:${ingress}`,
      RESTATE_ADMIN__BIND_ADDRESS: `127.0.0.1:${admin}`,
      RESTATE_LOG_FILTER: 'error',
      RESTATE_DISABLE_TELEMETRY: 'true',
    },
  });
  const job = restate.service({
    name: 'job',
    handlers: {
      async run(context, { id }) {
        await context.run('first', () => told(id));
        await context.run('second', () => undefined);
        await context.run('third', () => undefined);
        done(id);
      },
    },
  });
  await restate.endpoint().bind(job).listen(service);
  const ask = async (port, path, body) =>
    await fetch(`http://127.0.0.1:${port}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  for (let tries = 0; ; tries++) {
    const answer = await ask(admin, '/deployments', { uri: `http://127.0.0.1:${service}` }).catch(() => null);
    if (answer?.ok) break;
    if (tries === 300) throw new Error(`Restate does not take its service: ${answer?.status} ${await answer?.text()}`);
    await delay(100);
  }
  return {
    async submit(id) {
      const answer = await ask(ingress, '/job/run/send', { id });
      if (!answer.ok) throw new Error(`Restate refused a job: ${answer.status} ${await answer.text()}`);
      await answer.arrayBuffer();
    },
    async stop() {
      server.kill('SIGTERM');
      await once(server, 'exit');
    },
  };
};
