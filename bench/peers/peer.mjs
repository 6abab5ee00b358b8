// node bench/peers/peer.mjs <name>: one peer in a process of its own, on the server that DATABASE_URL names. It answers each line of its input with one of
// its output: {"ask":"latency"} → {"ms"}, {"ask":"lives","jobs","concurrency"} → {"perSecond"}.
import { createInterface } from 'node:readline';
import { randomUUID } from 'node:crypto';

const [name] = process.argv.slice(2);
const waiting = { told: new Map(), done: new Map() };
const heard = (what, id) => waiting[what].get(id)?.();
const hear = (what, id) =>
  new Promise((resolve) =>
    waiting[what].set(id, () => {
      waiting[what].delete(id);
      resolve(performance.now());
    }),
  );

const { start } = await import(`./${name}.mjs`);
const peer = await start({
  databaseUrl: process.env.DATABASE_URL,
  dir: process.env.PEER_DIR,
  concurrency: Number(process.env.CONCURRENCY),
  told: (id) => heard('told', id),
  done: (id) => heard('done', id),
});

const live = async () => {
  const id = randomUUID();
  const startedAt = performance.now();
  const [told, done] = [hear('told', id), hear('done', id)];
  await peer.submit(id);
  const toldAt = await told;
  await done;
  return toldAt - startedAt;
};

const answers = {
  latency: async () => ({ ms: await live() }),
  async lives({ jobs, concurrency }) {
    let left = jobs;
    const startedAt = performance.now();
    const runner = async () => {
      while (left-- > 0) await live();
    };
    await Promise.all(Array.from({ length: concurrency }, runner));
    return { perSecond: (jobs * 1000) / (performance.now() - startedAt) };
  },
};

process.stdout.write(`${JSON.stringify({ ready: name })}\n`);
for await (const line of createInterface({ input: process.stdin })) {
  const { ask, ...how } = JSON.parse(line);
  process.stdout.write(`${JSON.stringify(await answers[ask](how))}\n`);
}
await peer.stop();
process.exit(0);
