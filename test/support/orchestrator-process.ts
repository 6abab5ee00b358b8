import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { startKeptProcess, type KeptProcess } from '../../dev/tools/kept-process';
import { projectRoot } from '../../src/project-root';
import { until } from './until';

/** One of our own processes, from the compiled build, which a test kills and starts again as often as it likes. */
export interface OwnProcess {
  name: string;
  logFile: string;
  isRunning(): boolean;
  /** Running, and it has said so in its log since its last start. */
  isUp(): Promise<boolean>;
  start(): Promise<void>;
  /** SIGKILL: nothing is drained, nothing is said. */
  kill(): Promise<void>;
  /** SIGTERM, and the grace. */
  stop: () => Promise<void>;
  readLog(): Promise<string>;
}

export interface OwnProcessOptions {
  name: string;
  /** Its log and pid file. */
  dir: string;
  env: Record<string, string>;
  /** Where it answers once it is up; without one, a start does not wait. */
  readyUrl?: string;
  /** What its log says once it works. */
  readyLine: string;
}

const readyWithinMs = 50_000;

export const createOrchestratorProcess = (options: Omit<OwnProcessOptions, 'readyLine'>): OwnProcess =>
  createOwnProcess('workers/orchestrator.js', { ...options, readyLine: '"message":"Polling"' });

export const createDeployerProcess = (options: Omit<OwnProcessOptions, 'readyLine'>): OwnProcess =>
  createOwnProcess('workers/deployer.js', { ...options, readyLine: '"message":"Polling"' });

/** With Kamal, where one works and the others stand by: it is up when it is the one. */
export const createKamalDeployerProcess = (options: Omit<OwnProcessOptions, 'readyLine'>): OwnProcess =>
  createOwnProcess('workers/deployer.js', { ...options, readyLine: '"message":"Active: the lock is ours"' });

export const createGatewayProcess = (options: Omit<OwnProcessOptions, 'readyLine'>): OwnProcess =>
  createOwnProcess('src/gateway/server.js', { ...options, readyLine: '"message":"The gateway listens"' });

const createOwnProcess = (file: string, { name, dir, env, readyUrl, readyLine }: OwnProcessOptions): OwnProcess => {
  const program = path.join(projectRoot(), '.yardmaster/build', file);
  const logFile = path.join(dir, `${name}.log`);
  const readLog = async (): Promise<string> => await readFile(logFile, 'utf8').catch(() => '');
  let kept: KeptProcess | null = null;
  let logStartsAt = 0;

  const forgetWhenEnded = async (started: KeptProcess): Promise<void> => {
    await started.ended;
    if (kept === started) kept = null;
  };

  return {
    name,
    logFile,
    isRunning: () => kept !== null,
    isUp: async () => kept !== null && (await readLog()).slice(logStartsAt).includes(readyLine),
    async start() {
      if (!existsSync(program)) throw new Error(`${program} is missing: npm test compiles it first, as does npx tsc -p tsconfig.dev.json`);
      logStartsAt = (await readLog()).length;
      const started = await startKeptProcess({
        name,
        dir,
        command: process.execPath,
        // The directory is how a later run recognises a process of an earlier one.
        args: ['--enable-source-maps', program, `--of=${dir}`],
        // A free port of its own; several orchestrators share this machine.
        env: { METRICS_PORT: '0', ...env },
        stopSignal: 'SIGTERM',
        stopWithinMs: 25_000,
      });
      kept = started;
      void forgetWhenEnded(started);
      if (readyUrl !== undefined) await started.untilReady(async () => await answers(readyUrl), readyWithinMs);
    },
    async kill() {
      const killed = kept;
      if (killed === null) return;
      // It may have been started a moment ago, and have no pid yet.
      const pid = await until(async () => await killed.serverPid(), { what: `${name} has a pid`, timeoutMs: 30_000 });
      process.kill(pid, 'SIGKILL');
      await killed.ended;
    },
    async stop() {
      await kept?.stop();
    },
    readLog,
  };
};

const answers = async (url: string): Promise<boolean> =>
  await fetch(url).then(
    ({ ok }) => ok,
    () => false,
  );
