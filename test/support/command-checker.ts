import type { Pool } from 'pg';
import type { CommandOutcome, MeansUsed, RouteTaken } from '../../src/contracts/command';
import type { JobState, Submission } from '../../src/contracts/job';
import { isTerminal } from '../../src/domain/job-state';
import type { Simulator } from '../../dev/gh/simulator';
import type { SubmissionEntry } from '../../dev/gh/submissions-log';

/** What a run of commands left behind: what the rows say, and what really happened. */
export interface CommandEvidence {
  jobs: { jobId: string; state: JobState; generation: number; targetUrl: string; publicStatus: string; submission: Submission }[];
  transitions: { jobId: string; generation: number; state: JobState; reason: string; at: Date }[];
  attempts: {
    attemptId: string;
    jobId: string;
    generation: number;
    workerId: string;
    host: string | null;
    assignedAt: Date;
    endedAt: Date | null;
  }[];
  commands: CommandRecord[];
  submissions: SubmissionEntry[];
}

export interface CommandRecord {
  commandId: string;
  jobId: string;
  generation: number;
  kind: 'cancel' | 'resume';
  requestedAt: Date;
  /** Its job had ended when it came. */
  wasEndedBefore: boolean;
  endedAt: Date | null;
  outcome: CommandOutcome | null;
  route: RouteTaken | null;
  means: MeansUsed[];
}

export const gatherCommandEvidence = async (pool: Pool, simulator: Simulator): Promise<CommandEvidence> => {
  const read = async <Row extends object>(text: string): Promise<Row[]> => (await pool.query<Row>(text)).rows;
  return {
    jobs: await read(`select j.job_id as "jobId", j.state, j.generation, g.target_url as "targetUrl", g.status as "publicStatus", j.submission
      from yardmaster.job j join gh_automation_jobs g on g.id = j.job_id`),
    transitions: await read(`select job_id as "jobId", generation, state, reason, at from yardmaster.job_transition order by seq`),
    attempts: await read(`select attempt_id as "attemptId", job_id as "jobId", generation, worker_id as "workerId", host,
      assigned_at as "assignedAt", ended_at as "endedAt" from yardmaster.attempt`),
    commands: await read(`select command_id as "commandId", job_id as "jobId", generation, kind, requested_at as "requestedAt",
      was_ended_before as "wasEndedBefore", ended_at as "endedAt", outcome, route, means from yardmaster.command where kind in ('cancel', 'resume') order by requested_at`),
    submissions: simulator.log(),
  };
};

/** What breaks the promises of a command (docs/promises.md); an empty list is the proof. `isKillOurs`: the run itself kills processes at random. */
export const findBrokenPromises = (evidence: CommandEvidence, { isKillOurs = false } = {}): string[] => [
  ...evidence.jobs.flatMap(({ jobId }) => findSubmittedAfterAll(evidence, jobId)),
  ...evidence.jobs.flatMap((job) => findShownAsCancelled(evidence, job)),
  ...evidence.jobs.flatMap((job) => findRepetitions(evidence, job)),
  ...evidence.jobs.flatMap(({ jobId }) => findChangedEnds(evidence, jobId)),
  ...evidence.commands.flatMap((command) => findLies(evidence, command)),
  ...evidence.commands.flatMap((command) => findSilentDetours(evidence, command)),
  ...evidence.commands.filter(({ kind }) => kind === 'cancel').flatMap((command) => findAttemptsAfter(evidence, command)),
  ...(isKillOurs ? [] : findOthersHit(evidence)),
];

const rowsOf = ({ attempts }: CommandEvidence, jobId: string, generation?: number): Set<string> =>
  new Set(
    attempts
      .filter((attempt) => attempt.jobId === jobId && (generation === undefined || attempt.generation === generation))
      .map(({ attemptId }) => attemptId),
  );

/** No job that says `cancelled` was submitted. */
const findSubmittedAfterAll = (evidence: CommandEvidence, jobId: string): string[] =>
  evidence.transitions
    .filter((each) => each.jobId === jobId && each.state === 'cancelled')
    .flatMap(({ generation }) => {
      const rows = rowsOf(evidence, jobId, generation);
      const line = evidence.submissions.find(({ event, rowId }) => event === 'submitted' && rows.has(rowId));
      return line === undefined ? [] : [`${jobId} says cancelled and was submitted (line ${line.seq})`];
    });

/** What the product shows as cancelled was not submitted, or our answers say that it may be; whoever wrote the word into its row. */
const findShownAsCancelled = (
  evidence: CommandEvidence,
  { jobId, generation, publicStatus, submission }: CommandEvidence['jobs'][number],
): string[] => {
  if (publicStatus !== 'cancelled' || submission !== 'no') return [];
  const rows = rowsOf(evidence, jobId, generation);
  const line = evidence.submissions.find(({ event, rowId }) => event === 'submitted' && rows.has(rowId));
  return line === undefined ? [] : [`the product shows ${jobId} as cancelled, and it was submitted (line ${line.seq})`];
};

/** GH begins an application again after a browser crash, or because somebody notified or marked it: the second is never us. */
const findRepetitions = (evidence: CommandEvidence, { jobId, targetUrl }: CommandEvidence['jobs'][number]): string[] => {
  const log = evidence.submissions.filter((entry) => entry.jobId === jobId);
  const restarts = log.filter(({ event }) => event === 'restarted');
  const allowed = targetUrl.includes('/recovers-from-browser-crash') ? 1 : 0;
  const tooMany = [...rowsOf(evidence, jobId)]
    .map((row) => restarts.filter(({ rowId }) => rowId === row))
    .filter((lines) => lines.length > allowed);
  const generations = new Set(evidence.attempts.filter((each) => each.jobId === jobId).map(({ generation }) => generation));
  return [
    ...tooMany.map((lines) => `${jobId} was begun again by its worker (line ${lines.at(-1)?.seq})`),
    ...[...generations].flatMap((generation) => {
      const rows = rowsOf(evidence, jobId, generation);
      const own = log.filter(({ rowId }) => rows.has(rowId));
      const opened = own.find(({ event }) => event === 'form_opened' || event === 'submitted');
      const again = own.find(({ event, rowId, seq }) => event === 'claimed' && rowId !== opened?.rowId && seq > (opened?.seq ?? Infinity));
      return again === undefined ? [] : [`${jobId} was tried again after its form was open (lines ${opened?.seq}, ${again.seq})`];
    }),
    ...log
      .filter(({ event, rowId }) => event === 'claimed' && !rowsOf(evidence, jobId).has(rowId))
      .map(({ seq }) => `line ${seq} claimed a row that is no attempt`),
  ];
};

/** A generation ends once, and nothing of it comes after. */
const findChangedEnds = ({ transitions }: CommandEvidence, jobId: string): string[] => {
  const ended = new Map<number, JobState>();
  return transitions
    .filter((each) => each.jobId === jobId)
    .flatMap(({ generation, state }) => {
      const end = ended.get(generation);
      if (isTerminal(state)) ended.set(generation, state);
      return end === undefined ? [] : [`${jobId} went from ${end} to ${state} in generation ${generation}`];
    });
};

/** The outcome that a cancel was answered with is what its generation came to. */
const findLies = ({ transitions }: CommandEvidence, { jobId, generation, kind, outcome, endedAt }: CommandRecord): string[] => {
  if (kind === 'resume') return [];
  const own = transitions.filter((each) => each.jobId === jobId && each.generation === generation);
  // Stopped while it waited at a blocker, a job ends cancelled all the same, with its doubt.
  const isDoubted = outcome === 'cancelled_maybe_submitted';
  const states = own.map(({ state, reason }) => (isDoubted && reason === 'cancelled_at_blocker' ? 'uncertain' : state));
  const expected: Partial<Record<CommandOutcome, readonly JobState[]>> = {
    cancelled: ['cancelled'],
    cancelled_maybe_submitted: ['uncertain'],
    undeliverable: ['uncertain'],
    already_finished: ['succeeded', 'failed', 'expired', 'cancelled'],
  };
  const wanted = outcome === null ? undefined : expected[outcome];
  if (wanted !== undefined && !wanted.some((state) => states.includes(state)))
    return [`a cancel of ${jobId} was answered with ${outcome}; its states: ${states.join()}`];
  return outcome !== null && outcome !== 'unconfirmed' && endedAt === null
    ? [`a cancel of ${jobId} has the outcome ${outcome} and no end`]
    : [];
};

/** A command goes to the worker that has the attempt, or names its fallback; of a job that had ended nobody has anything. */
const findSilentDetours = ({ attempts }: CommandEvidence, { jobId, kind, route, outcome, wasEndedBefore }: CommandRecord): string[] => {
  if (route === null)
    return outcome === null || kind === 'resume' || wasEndedBefore ? [] : [`a ${kind} of ${jobId} ended as ${outcome} and names no route`];
  if (route.attemptId === null) return route.route === 'row' ? [] : [`a ${kind} of ${jobId} went by ${route.route} and names no attempt`];
  const attempt = attempts.find(({ attemptId }) => attemptId === route.attemptId);
  if (attempt?.jobId !== jobId) return [`a ${kind} of ${jobId} went to attempt ${route.attemptId}, which is not its own`];
  const isNamed = route.steps.some(({ level }) => level !== 'info');
  if (isNamed) return [];
  return route.workerId === attempt.workerId && route.host === attempt.host
    ? []
    : [`a ${kind} of ${jobId} went to ${route.workerId} at ${route.host} in silence; ${attempt.workerId} at ${attempt.host} has it`];
};

const findAttemptsAfter = ({ attempts }: CommandEvidence, { jobId, generation, requestedAt }: CommandRecord): string[] =>
  attempts
    .filter((each) => each.jobId === jobId && each.generation === generation && each.assignedAt > requestedAt)
    .map(({ attemptId }) => `attempt ${attemptId} of ${jobId} was made after its cancel`);

/** Whoever lost a connection or its process was asked to, or crashes by itself: never the next job of the worker that was meant. */
const findOthersHit = ({ submissions, jobs, commands }: CommandEvidence): string[] => {
  const wanted = new Set(commands.filter(({ kind }) => kind === 'cancel').map(({ jobId }) => jobId));
  const crashes = new Set(jobs.filter(({ targetUrl }) => targetUrl.includes('/crash')).map(({ jobId }) => jobId));
  return submissions
    .filter(({ event, jobId }) => (event === 'connection_lost' || event === 'killed') && !wanted.has(jobId) && !crashes.has(jobId))
    .map(({ jobId, seq, event, detail }) => `${jobId} was not cancelled, and its process is hit (line ${seq}, ${event}: ${detail})`);
};
