import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Pool } from 'pg';
import { createDeployLog, type DeployLog } from '../../activities/deploys/deploy-log';
import { limits } from '../../src/contracts/limits';
import { createPool } from '../../src/db/pool';
import { claimPort } from '../../dev/tools/ports';
import { projectRoot } from '../../src/project-root';
import type { Stack } from '../../dev/tools/stack';
import { createLines } from '../../src/process/lines';
import { createLog } from '../../src/log';
import { streamChild } from '../../src/process/stream-child';
import { addDeploy, endDeploy } from '../../test/support/log-rows';
import { createFreshDatabase } from '../database';
import type { Figure } from '../figures';
import { openLogReaders, type LogReaders } from '../sse/log-readers';
import { quantile } from '../statistics';

export interface LogStreamSizes {
  /** Lines of a child, one every 25 ms, with one reader. */
  latencyLines: number;
  /** Live readers, and as many that take nothing. */
  readers: number;
  linesPerSecond: number;
  seconds: number;
}

/**
 * What a reader of a deploy's log waits for, and what many of them cost a gateway in a process of its own. The baseline is better-sse with a channel:
 * lines that it makes itself, without database, numbers to come back with, or a bound for whoever is slow.
 */
export const measureLogStreams = async (stack: Stack, sizes: LogStreamSizes): Promise<Figure[]> => {
  const databaseUrl = await createFreshDatabase(stack.databaseUrl, 'bench_logs');
  const pool = createPool(databaseUrl, { max: 4, applicationName: 'bench-logs' });
  const gateway = await startGateway({ databaseUrl, temporalAddress: stack.temporalAddress });
  try {
    const latencies = await childToReader(pool, gateway.url, sizes.latencyLines);
    const ours = await crowd(gateway, sizes, await ourLog(pool, gateway.url, sizes));
    const baseline = await measureBaseline(sizes);
    const figure = (name: string, unit: Figure['unit'], of: (side: Crowd) => number, goal?: Figure['goal']): Figure => ({
      name,
      unit,
      ours: of(ours),
      baseline: of(baseline),
      ...(goal === undefined ? {} : { goal }),
    });
    const who = `${sizes.readers} live + ${sizes.readers} stalled readers, ${sizes.linesPerSecond} lines/s`;
    return [
      {
        name: 'child stdout → reader, p50',
        unit: 'ms',
        ours: quantile(latencies, 0.5),
        baseline: Number.NaN,
        goal: { of: 'ours', atMost: 30 },
      },
      {
        name: 'child stdout → reader, p99',
        unit: 'ms',
        ours: quantile(latencies, 0.99),
        baseline: Number.NaN,
        goal: { of: 'ours', atMost: 150 },
      },
      figure(`${who}: line → reader, p50`, 'ms', ({ p50 }) => p50),
      figure(`${who}: line → reader, p99`, 'ms', ({ p99 }) => p99),
      figure(`${who}: lines lost or doubled`, 'count', ({ faults }) => faults, { of: 'ours', atMost: 0 }),
      figure(`${who}: memory that grew while the lines came`, 'MB', ({ grownMb }) => grownMb, { of: 'ours', atMost: 64 }),
      figure('memory of a connection', 'kB', ({ connectionKb }) => connectionKb),
      figure('CPU of 1,000 lines at a reader', 'ms', ({ cpuMsPerThousand }) => cpuMsPerThousand),
    ];
  } finally {
    await gateway.stop();
    await pool.end();
  }
};

interface Server {
  url: string;
  pid: number;
  stop(): Promise<void>;
}

interface Crowd {
  p50: number;
  p99: number;
  faults: number;
  grownMb: number;
  connectionKb: number;
  cpuMsPerThousand: number;
}

/** Of two callers, since one may not take every place. */
const keys = { live: 'a-key-for-the-bench-alone', stalled: 'another-key-for-the-bench' };

const startGateway = async ({ databaseUrl, temporalAddress }: { databaseUrl: string; temporalAddress: string }): Promise<Server> => {
  const port = await claimPort({ port: 0, purpose: 'a gateway', changeWith: 'nothing' });
  const env = {
    DATABASE_URL: databaseUrl,
    DATABASE_DIRECT_URL: databaseUrl,
    TEMPORAL_ADDRESS: temporalAddress,
    GATEWAY_PORT: String(port),
    METRICS_PORT: '0',
    LOG_LEVEL: 'error',
    RATE_LIMIT_PER_MINUTE: '1000000',
    YARDMASTER_KEYS: Object.entries(keys)
      .map(([name, key]) => `${name}:read_only:${key}`)
      .join(','),
  };
  return await startServer(
    [path.join(projectRoot(), '.yardmaster/build/src/gateway/server.js')],
    env,
    `http://127.0.0.1:${port}`,
    '/livez',
  );
};

const startServer = async (args: string[], env: Record<string, string>, url: string, readyPath: string): Promise<Server> => {
  const child: ChildProcess = spawn(process.execPath, ['--expose-gc', ...args], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  for (let tries = 0; tries < 200; tries++) {
    const isThere = await fetch(`${url}${readyPath}`).then(
      async (answer) => {
        await answer.body?.cancel();
        return true;
      },
      () => false,
    );
    if (isThere) break;
    await delay(100);
  }
  return {
    url,
    pid: child.pid ?? 0,
    async stop() {
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      await ended;
    },
  };
};

/** As the deployer writes: the same code, over the same row. */
const openWriter = async (pool: Pool, deployId: string): Promise<DeployLog> => {
  const runner = randomUUID();
  await pool.query('update yardmaster.deploy set runner = $2 where deploy_id = $1', [deployId, runner]);
  return createDeployLog({ pool, log: createLog({ level: 'error', process: 'bench' }), limits, deployId, runner, lastSeq: 0 });
};

/** A real child over real pipes, through the code that splits its lines, into Postgres, and out of a gateway. */
const childToReader = async (pool: Pool, url: string, lines: number): Promise<number[]> => {
  const deployId = await addDeploy(pool);
  const readers = await openLogReaders(`${url}/v1/deploys/${deployId}/stream`, { count: 1, headers: headersOf('live') });
  const writer = await openWriter(pool, deployId);
  const splitter = createLines({ charsMax: 16_384 });
  const program = `let n = 0; const t = setInterval(() => { process.stdout.write(process.hrtime.bigint() + ' a line of Kamal\\n'); if (++n === ${lines}) clearInterval(t); }, 25);`;
  await streamChild({
    command: [process.execPath, '-e', program],
    env: {},
    timeoutMs: 600_000,
    killAfterMs: 1_000,
    async onChunk(stream, chunk) {
      for (const { text } of splitter.add(chunk)) await writer.write({ stream, line: text });
    },
  });
  await writer.flush();
  await endDeploy(pool, deployId);
  await readers.ended;
  readers.cut();
  return readers.latenciesMs;
};

interface Source {
  url: string;
  headersOf(reader: keyof typeof keys): Record<string, string>;
  /** Writes all lines at their pace, and ends the log. */
  write(): Promise<void>;
}

const ourLog = async (pool: Pool, url: string, { linesPerSecond, seconds }: LogStreamSizes): Promise<Source> => {
  const deployId = await addDeploy(pool);
  return {
    url: `${url}/v1/deploys/${deployId}/stream`,
    headersOf,
    async write() {
      const writer = await openWriter(pool, deployId);
      const startedAt = performance.now();
      for (let written = 0; written < linesPerSecond * seconds;) {
        await delay(turnMs);
        const due = Math.min(linesPerSecond * seconds, Math.floor(((performance.now() - startedAt) / 1000) * linesPerSecond));
        for (let n = written; n < due; n++) await writer.write({ stream: 'stdout', line: `${process.hrtime.bigint()} ${'x'.repeat(100)}` });
        written = due;
      }
      await writer.flush();
      await endDeploy(pool, deployId);
    },
  };
};

const turnMs = 20;

const headersOf = (reader: keyof typeof keys): Record<string, string> => ({ 'x-api-key': keys[reader] });

const measureBaseline = async (sizes: LogStreamSizes): Promise<Crowd> => {
  const port = await claimPort({ port: 0, purpose: 'better-sse', changeWith: 'nothing' });
  const url = `http://127.0.0.1:${port}`;
  const server = await startServer(
    [path.join(projectRoot(), 'bench/sse/better-sse-server.mjs'), String(port), String(sizes.linesPerSecond)],
    {},
    url,
    '/',
  );
  try {
    const lines = sizes.linesPerSecond * sizes.seconds;
    return await crowd(server, sizes, {
      url,
      headersOf: () => ({}),
      async write() {
        await fetch(`${url}/?lines=${lines}`, { method: 'POST' });
      },
    });
  } finally {
    await server.stop();
  }
};

const crowd = async (
  server: Server,
  { readers: count, linesPerSecond, seconds }: LogStreamSizes,
  { url, headersOf: shown, write }: Source,
): Promise<Crowd> => {
  const emptyMb = residentMb(server.pid);
  const live = await openLogReaders(url, { count, headers: shown('live') });
  const stalled = await openLogReaders(url, { count, headers: shown('stalled'), isStalled: true });
  await delay(1_000);
  const connectedMb = residentMb(server.pid);
  const cpuBefore = cpuMs(server.pid);
  let highestMb = connectedMb;
  const watch = setInterval(() => (highestMb = Math.max(highestMb, residentMb(server.pid))), 250);
  await Promise.all([write(), live.ended]);
  clearInterval(watch);
  const cpu = cpuMs(server.pid) - cpuBefore;
  stalled.goOn();
  await stalled.ended;
  const lines = linesPerSecond * seconds;
  const missing = [live, stalled].filter((readers: LogReaders) => readers.least() !== lines).length;
  live.cut();
  stalled.cut();
  return {
    p50: quantile(live.latenciesMs, 0.5),
    p99: quantile(live.latenciesMs, 0.99),
    faults: live.faults() + stalled.faults() + missing,
    grownMb: highestMb - connectedMb,
    connectionKb: ((connectedMb - emptyMb) * 1024) / (2 * count),
    cpuMsPerThousand: cpu / ((count * lines) / 1000),
  };
};

const residentMb = (pid: number): number => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024;

/** User and system time, in ticks of 10 ms (proc(5)). */
const cpuMs = (pid: number): number => {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
};
