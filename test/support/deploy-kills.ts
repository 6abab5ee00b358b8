import type { Misbehaviour, StandInStep } from '../../dev/kamal/stand-in/stand-in-testbed';
import type { DeployRun } from './deploy-run';
import { commandLineOf, parentOf } from './stray-commands';
import { until } from './until';

/** A phase, and the step of Kamal in which the deploy is held there; several are taken in turns. Without one no Kamal runs in it. */
export interface PhaseToHit {
  phase: string;
  on: string | null;
  at: NonNullable<Misbehaviour['at']>[];
}

/** Holding hosts is one statement: it and the wait for their jobs are one phase here. Each has a destination of its own, named after it. */
export const phasesToHit = [
  { phase: 'preflight', on: 'build pull', at: ['pull', 'end'] },
  { phase: 'drain', on: null, at: [] },
  { phase: 'lock', on: 'lock acquire', at: ['start', 'end'] },
  { phase: 'stop', on: 'app stop', at: ['stop', 'end'] },
  { phase: 'deploy', on: 'deploy', at: ['boot', 'booted', 'prune'] },
  { phase: 'verify', on: 'app version', at: ['start', 'end'] },
  { phase: 'compensate', on: 'app start', at: ['boot', 'end'] },
  { phase: 'release', on: 'lock release', at: ['start', 'end'] },
] as const satisfies PhaseToHit[];

export const victims = ['kamal', 'supervisor', 'ssh', 'deployer', 'deployer asked to end', 'gateway', 'temporal', 'postgres'] as const;
export type Victim = (typeof victims)[number];

/** Null when the cell exists. */
export const whyLeftOut = ({ on }: PhaseToHit, victim: Victim): string | null =>
  on === null && (victim === 'kamal' || victim === 'supervisor' || victim === 'ssh')
    ? 'no Kamal runs, and nobody connects, while jobs are waited for'
    : null;

export interface InjectionContext {
  /** The Kamals in which the deploys are held. */
  held: StandInStep[];
  /** Lets them go on. */
  letGo(): Promise<void>;
}

/** How long a server is away; the deployer's beats are due every 10 s, and its lock is proven every second. */
const awayMs = 4_000;

const away = async (): Promise<void> => await new Promise((resolve) => setTimeout(resolve, awayMs));

/** Each answers when the fault is over, except that a killed deployer stays away: the other one has to take its place. */
export const injectors: Record<Victim, (run: DeployRun, context: InjectionContext) => Promise<{ stayAway?: DeployRun['gateway'] }>> = {
  async kamal(_run, { held, letGo }) {
    for (const { pid } of held) process.kill(pid, 'SIGKILL');
    await letGo();
    return {};
  },
  async supervisor(_run, { held, letGo }) {
    for (const { pid } of held) process.kill(supervisorOf(pid), 'SIGKILL');
    await letGo();
    return {};
  },
  async ssh({ testbed }, { letGo }) {
    for (const host of testbed.hosts) await host.stopSsh();
    await letGo();
    await away();
    for (const host of testbed.hosts) await host.startSsh();
    return {};
  },
  async deployer(run, { held, letGo }) {
    const killed = await run.findActive();
    await killed.kill();
    // Kamal would work on if nobody ended it.
    await until(() => held.every(({ pid }) => commandLineOf(pid) === ''), { what: 'its Kamals have ended', timeoutMs: 10_000 }).catch(
      () => undefined,
    );
    await letGo();
    return { stayAway: killed };
  },
  async 'deployer asked to end'(run, { letGo }) {
    const ended = await run.findActive();
    const stopped = ended.stop();
    await letGo();
    await stopped;
    return { stayAway: ended };
  },
  async gateway({ gateway }, { letGo }) {
    await gateway.kill();
    await letGo();
    await away();
    await gateway.start();
    return {};
  },
  async temporal({ stack }, { letGo }) {
    await stack.killTemporal();
    await letGo();
    await away();
    await stack.restartTemporal();
    return {};
  },
  async postgres({ stack }, { letGo }) {
    await stack.killPostgres();
    await letGo();
    await away();
    await stack.restartPostgres();
    return {};
  },
};

const supervisorOf = (pid: number): number => {
  const parent = parentOf(pid);
  if (parent === null || !commandLineOf(parent).includes('supervisor.mjs')) throw new Error(`process ${pid} has no supervisor`);
  return parent;
};
