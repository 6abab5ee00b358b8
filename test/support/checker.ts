import { isDeepStrictEqual } from 'node:util';
import type { SubmissionEntry } from '../../dev/gh/submissions-log';
import { ghStatusOf, isTerminal } from '../../src/domain/job-state';
import type { CallbackRecord, Evidence, JobRecord } from './evidence';

/** A promise of docs/promises.md that was broken, and by what. */
export interface Violation {
  promise: 1 | 2 | 3 | 5 | 8;
  jobId: string | null;
  what: string;
}

/**
 * Holds what really happened (the simulator's log, what the product received) against what the rows say. Made for the end of a run: every job
 * is expected to have ended, and every callback to be delivered.
 */
export const findViolations = (evidence: Evidence): Violation[] => {
  const jobs = new Map(evidence.jobs.map((job) => [job.jobId, job]));
  const lost = evidence.acceptedJobIds.filter((jobId) => !jobs.has(jobId));
  return [
    ...lost.map((jobId): Violation => ({ promise: 1, jobId, what: 'was accepted and has no record' })),
    ...evidence.jobs.flatMap((job) => findViolationsOfJob(evidence, job)),
    ...findSpoken(evidence),
  ];
};

const findViolationsOfJob = (evidence: Evidence, job: JobRecord): Violation[] => {
  const { jobId } = job;
  const log = evidence.submissions.filter((entry) => entry.jobId === jobId).toSorted((a, b) => a.seq - b.seq);
  const generationOf = new Map(
    evidence.attempts.filter((attempt) => attempt.jobId === jobId).map((each) => [each.attemptId, each.generation]),
  );
  const found: [Violation['promise'], string[]][] = [
    [1, findOtherThanOneEnd(evidence, job)],
    [1, findSideBySide(log)],
    [1, findUnknownRows(log, generationOf)],
    [2, findChangedEnds(evidence, job)],
    [3, findSecondSubmissions(log, generationOf, job, evidence)],
    [5, findCallbackFaults(evidence, job)],
    [8, job.attemptsWithPersonalData > 0 ? [`${job.attemptsWithPersonalData} rows of ended attempts still hold personal data`] : []],
  ];
  return found.flatMap(([promise, whats]) => whats.map((what): Violation => ({ promise, jobId, what })));
};

/** Exactly one terminal state for every generation, the present one included. */
const findOtherThanOneEnd = ({ transitions }: Evidence, { jobId, generation, state }: JobRecord): string[] => {
  const ends = transitions.filter((each) => each.jobId === jobId && isTerminal(each.state));
  const generations = Array.from({ length: generation }, (_, index) => index + 1);
  return generations.flatMap((each) => {
    const count = ends.filter((end) => end.generation === each).length;
    return count === 1 ? [] : [`generation ${each} has ${count} ends; the job is ${state}`];
  });
};

/** From `claimed` to `ended` or `killed` a process has the job; a second one must not claim in between. */
const findSideBySide = (log: readonly SubmissionEntry[]): string[] => {
  const running = new Set<string>();
  const whats: string[] = [];
  for (const { event, workerId, processId, rowId, seq } of log) {
    const run = `${rowId} in process ${processId}`;
    if (event === 'claimed') {
      if (running.size > 0) whats.push(`${workerId} claimed it (line ${seq}) while ${[...running].join(', ')} ran`);
      running.add(run);
    } else if (event === 'ended' || event === 'killed') running.delete(run);
  }
  return whats;
};

/** Whatever a worker claims is an attempt of ours; above all never the public row. */
const findUnknownRows = (log: readonly SubmissionEntry[], generationOf: ReadonlyMap<string, number>): string[] =>
  log
    .filter(({ event, rowId }) => event === 'claimed' && !generationOf.has(rowId))
    .map(({ rowId, workerId }) => `${workerId} claimed row ${rowId}, which is no attempt`);

const findChangedEnds = ({ transitions }: Evidence, job: JobRecord): string[] => {
  const own = transitions.filter(({ jobId }) => jobId === job.jobId).toSorted((a, b) => a.seq - b.seq);
  const whats: string[] = [];
  const ended = new Map<number, string>();
  for (const { generation, state } of own) {
    const end = ended.get(generation);
    if (end !== undefined) whats.push(`generation ${generation} went from ${end} to ${state}`);
    if (isTerminal(state)) ended.set(generation, state);
  }
  const last = own.at(-1);
  if (last?.state !== job.state) whats.push(`the record says ${job.state}, the timeline ends with ${last?.state ?? 'nothing'}`);
  if (job.mirrorStatus !== ghStatusOf[job.state])
    whats.push(`the record says ${job.state}, the public row says ${job.mirrorStatus ?? 'nothing'}`);
  return whats;
};

/**
 * After the form was open, no attempt of the same generation starts: a person's retry opens the next one. Two applications in one generation are
 * GH's own re-run in one process, and then the record says so and the product is told.
 */
const findSecondSubmissions = (
  log: readonly SubmissionEntry[],
  generationOf: ReadonlyMap<string, number>,
  job: JobRecord,
  { callbacks }: Evidence,
): string[] => {
  const whats: string[] = [];
  for (const generation of new Set(generationOf.values())) {
    const own = log.filter(({ rowId }) => generationOf.get(rowId) === generation);
    const opened = own.find(({ event }) => event === 'form_opened' || event === 'submitted');
    const again = own.find(({ event, seq }) => event === 'claimed' && seq > (opened?.seq ?? Infinity));
    if (opened !== undefined && again !== undefined) {
      whats.push(
        `attempt ${opened.attemptNumber} had the form open (line ${opened.seq}), ${again.attemptNumber} was started after it (line ${again.seq})`,
      );
    }
    const submitted = own.filter(({ event }) => event === 'submitted');
    if (submitted.length < 2) continue;
    const isOneProcess = new Set(submitted.map(({ processId, rowId }) => `${processId} ${rowId}`)).size === 1;
    if (!isOneProcess || !own.some(({ event }) => event === 'restarted'))
      whats.push(`generation ${generation} was submitted ${submitted.length} times`);
    else if (generation === job.generation && !job.isRerunByGh) whats.push('GH submitted it again, and the record does not say so');
    const final = callbacks.find((each) => each.jobId === job.jobId && each.generation === generation && each.isFinal);
    const finalText = `${final?.body.result_summary ?? ''}${final?.body.error_message ?? ''}`;
    if (final !== undefined && !/ran the form again/.test(finalText))
      whats.push(`GH submitted it again, and the callback of generation ${generation} does not say so`);
  }
  return whats;
};

/**
 * The rows are numbered without a gap and end with the only final one of their generation. What arrived walks along them: a body has no number, so
 * each arrival must equal the row it stands at (sent again: at least once) or the next one.
 */
const findCallbackFaults = ({ callbacks, received }: Evidence, { jobId, generation, hasCallbackUrl }: JobRecord): string[] => {
  if (!hasCallbackUrl) return [];
  const rows = callbacks.filter((each) => each.jobId === jobId).toSorted((a, b) => a.generation - b.generation || a.seq - b.seq);
  const whats: string[] = [];
  for (let each = 1; each <= generation; each++)
    whats.push(
      ...findNumberingFaults(
        rows.filter((row) => row.generation === each),
        each,
      ),
    );
  for (const row of rows) if (row.settledAs !== 'delivered') whats.push(`${nameOf(row)} is ${row.settledAs ?? 'not settled'}`);

  const sent = rows.filter(({ settledAs }) => settledAs === 'delivered');
  let at = -1;
  for (const body of received.filter((each) => each.job_id === jobId)) {
    const [here, next] = [sent[at], sent[at + 1]];
    if (here !== undefined && isDeepStrictEqual(timeless(here.body), timeless(body))) continue;
    if (next !== undefined && isDeepStrictEqual(timeless(next.body), timeless(body))) at++;
    else whats.push(`"${body.status}" arrived after ${here === undefined ? 'nothing' : nameOf(here)}`);
  }
  const unseen = sent[at + 1];
  if (unseen !== undefined) whats.push(`${nameOf(unseen)} is called delivered and never arrived`);
  return whats;
};

/** How long a person is waited for is said anew whenever it is sent. */
const timeless = (body: CallbackRecord['body']): object =>
  body.interaction === undefined ? body : { ...body, interaction: { ...body.interaction, timeout_seconds: 0 } };

const findNumberingFaults = (rows: readonly CallbackRecord[], generation: number): string[] => {
  const finals = rows.filter(({ isFinal }) => isFinal).length;
  const isGapless = rows.every(({ seq }, index) => seq === index + 1);
  return [
    ...(isGapless ? [] : [`the callbacks of generation ${generation} are numbered ${rows.map(({ seq }) => seq).join()}`]),
    ...(finals === 1 && rows.at(-1)?.isFinal === true
      ? []
      : [`generation ${generation} told ${rows.map(({ word }) => word).join()}, ${finals} of them final`]),
  ];
};

const nameOf = ({ generation, seq, word }: CallbackRecord): string => `callback ${generation}/${seq} "${word}"`;

/** One word is enough for a place to be named: a log repeats itself. */
const findSpoken = ({ texts, unspeakable }: Evidence): Violation[] =>
  texts.flatMap(({ where, text, words }) =>
    (words ?? unspeakable)
      .filter((word) => text.includes(word))
      .map((word): Violation => ({ promise: 8, jobId: null, what: `${where} holds "${word}"` })),
  );
