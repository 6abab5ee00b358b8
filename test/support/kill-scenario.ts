import { setTimeout as delay } from 'node:timers/promises';
import { findViolations, type Violation } from './checker';
import { gatherEvidence, type Evidence } from './evidence';
import { mixJobs } from './job-mix';
import {
  countFailedWorkflows,
  killAtRandom,
  resolveUncertain,
  submitJobs,
  untilAllIsQuiet,
  untilAllRest,
  type Load,
  type SubmittedJob,
} from './kill-run';

export interface KillScenario {
  jobs: number;
  /** The jobs are spread over this time; kills go on until they are done. */
  overMs: number;
  kills: number;
  killEveryMs: [number, number];
  /** SIGKILLs of GH workers beside those of orchestrators. */
  workerKills: number;
  /** For each of the three waits afterwards; a busy machine needs it, an idle one a small part of it. */
  settleMs: number;
}

export interface KillOutcome {
  counts: Record<string, number>;
  violations: Violation[];
  /** Jobs that came to another rest than their posting had to lead them to. */
  surprises: object[];
  failedWorkflows: number;
  submitted: SubmittedJob[];
  evidence: Evidence;
  /** Seconds since the start at which each phase was over. */
  secondsAt: Record<string, number>;
}

/** Jobs of all kinds while processes are killed at random, until every one has ended; then the whole is judged. */
export const runKillScenario = async (load: Load, scenario: KillScenario): Promise<KillOutcome> => {
  const startedAt = Date.now();
  const secondsAt: Record<string, number> = {};
  const note = (phase: string): void => void (secondsAt[phase] = Math.round((Date.now() - startedAt) / 1_000));
  const timeoutMs = scenario.settleMs;

  const [submitted, kills, workerKills] = await Promise.all([
    submitJobs(load, mixJobs(scenario.jobs, load.random), { overMs: scenario.overMs }),
    killAtRandom(load.plane.orchestrators, load.random, { kills: scenario.kills, everyMs: scenario.killEveryMs }),
    killWorkersAtRandom(load, scenario),
  ]);
  note('killed');
  await untilAllRest(load, { timeoutMs });
  note('rest');
  const { resolved, retried } = await resolveUncertain(load, { timeoutMs });
  note('ended');
  await untilAllIsQuiet(load, { timeoutMs });
  note('quiet');

  const evidence = await gatherEvidence({ ...load, acceptedJobIds: submitted.map(({ jobId }) => jobId) });
  const violations = findViolations(evidence);
  const surprises = findSurprises(evidence, submitted);
  const failedWorkflows = await countFailedWorkflows(load.client);
  note('judged');
  const counts = { seed: load.random.seed, jobs: submitted.length, kills, workerKills, resolved, retried, violations: violations.length };
  return { counts, violations, surprises, failedWorkflows, submitted, evidence, secondsAt };
};

/** Where a job rested first in its first life, against what its posting does. A worker that died under it may have submitted: then a person is asked. */
export const findSurprises = (
  evidence: Evidence,
  submitted: readonly SubmittedJob[],
  { mayHaveLostWrites = new Set() }: { mayHaveLostWrites?: ReadonlySet<string> } = {},
): object[] => {
  const { transitions, submissions } = evidence;
  // One that lost a connection may be through before its process ends, and its last writes be lost.
  const wasKilled = new Set(submissions.filter(({ event }) => event === 'killed' || event === 'connection_lost').map(({ jobId }) => jobId));
  const cameTo = new Map<string, string>();
  for (const { jobId, generation, state } of transitions.toSorted((a, b) => a.seq - b.seq)) {
    if (generation === 1 && restingStates.has(state) && !cameTo.has(jobId)) cameTo.set(jobId, state);
  }
  return submitted
    .map(({ jobId, kind }) => ({ jobId, ...kind, came: cameTo.get(jobId) }))
    .filter(({ jobId, end, came }) => came !== end && !(came === 'uncertain' && (wasKilled.has(jobId) || mayHaveLostWrites.has(jobId))))
    .map((surprise) => ({ ...surprise, story: describeStory(evidence, surprise.jobId) }));
};

/** What we wrote, and what happened at the worker: a failed run cannot be repeated, so it has to say enough. */
const describeStory = ({ transitions, submissions }: Evidence, jobId: string): { ours: string[]; theirs: string[] } => ({
  ours: transitions
    .filter((each) => each.jobId === jobId)
    .toSorted((a, b) => a.seq - b.seq)
    .map(({ generation, state, reason }) => `${generation}: ${state} (${reason})`),
  theirs: submissions
    .filter((each) => each.jobId === jobId)
    .map(({ at, attemptNumber, event, workerId, detail }) => `${at} ${attemptNumber} ${event} ${workerId} ${detail ?? ''}`),
});

const restingStates: ReadonlySet<string> = new Set(['succeeded', 'failed', 'cancelled', 'expired', 'uncertain']);

const killWorkersAtRandom = async ({ plane, random }: Load, { workerKills, overMs }: KillScenario): Promise<number> => {
  for (let killed = 0; killed < workerKills; killed++) {
    await delay(random.between(0, (2 * overMs) / workerKills));
    plane.simulator.kill(random.pick(plane.simulator.hosts).ip, { restart: true });
  }
  return workerKills;
};
