import { condition, log, setHandler } from '@temporalio/workflow';
import type { JobView } from '../../src/contracts/job';
import {
  cancelSignal,
  resolveSignal,
  resumeSignal,
  retrySignal,
  statusQuery,
  wakeSignal,
  type WakeSignal,
} from '../../src/contracts/messages';
import { resolutionTypes, type ResolutionType } from '../../src/contracts/command';

/** A word to a job. Wakes fold into one, since the row is read once for all of them; people's words keep their order. */
export type Word =
  | { kind: 'wake'; examineOwner: boolean; stopped: Stopped | null; unreachableAttemptId: string | null }
  | { kind: 'cancel'; reason?: string; actor?: string }
  | { kind: 'resume'; resolutionType: ResolutionType; note?: string; actor?: string }
  | { kind: 'resolve'; submitted: boolean; note?: string; actor?: string }
  | { kind: 'retry'; confirm?: boolean; actor?: string };

type Wake = Extract<Word, { kind: 'wake' }>;

/** What a cancel proved of the process that had an attempt. */
type Stopped = NonNullable<WakeSignal['stopped']>;

export interface Inbox {
  put(word: Word): void;
  isEmpty(): boolean;
  /** The next word, or null when `waitMs` is over; null waits for a word alone. `what` names the timer for people. */
  next(waitMs: number | null, what: string): Promise<Word | null>;
  answerQueriesWith(job: JobView): void;
}

export const openInbox = (): Inbox => {
  const words: Word[] = [];
  let wake: Wake | null = null;
  let latest: JobView | null = null;

  const put = (word: Word): void => {
    if (word.kind === 'wake') wake = foldWakes(wake, word);
    else words.push(word);
  };

  setHandler(wakeSignal, (word) => put(makeWake(word)), {
    description: 'Look at the rows again. {"reason":"…","examineOwner":true}',
  });
  setHandler(cancelSignal, (word) => put({ kind: 'cancel', ...textsOf(word) }), {
    description: 'Cancel the job. {"reason":"…","actor":"…"}',
  });
  setHandler(
    resumeSignal,
    (word) => {
      if (hasOnly(word, ['resolutionType', 'note', 'actor'])) put({ kind: 'resume', resolutionType: resolutionOf(word), ...textsOf(word) });
      // Its name at most: histories are kept and shared, logs are read by many.
      else
        log.warn(
          'A resume with more than resolutionType, note and actor is ignored: codes and passwords come over REST only, POST /v1/jobs/:jobId/resume',
        );
    },
    {
      description: 'The person at the page is done. {"resolutionType":"manual","note":"…","actor":"…"}; codes and passwords over REST only',
    },
  );
  setHandler(
    resolveSignal,
    (word) => {
      // A signal cannot be refused; one that says nothing must not end a job.
      if (typeof word?.submitted === 'boolean') put({ kind: 'resolve', submitted: word.submitted, ...textsOf(word) });
      else log.warn('A resolve without submitted: true or false is ignored');
    },
    { description: 'Say how a review or an uncertain job ended. {"submitted":true|false,"note":"…","actor":"…"}' },
  );
  setHandler(retrySignal, (word) => put({ kind: 'retry', confirm: word?.confirm === true, ...textsOf(word) }), {
    description: 'Try an uncertain job again, as its next generation. {"confirm":true,"actor":"…"}',
  });
  setHandler(statusQuery, () => latest, { description: 'What the workflow knows of its job' });

  return {
    put,
    isEmpty: () => words.length === 0 && wake === null,
    async next(waitMs, what) {
      const hasWord = (): boolean => words.length > 0 || wake !== null;
      // At least a moment, so that a deadline that cannot be acted upon yet never spins.
      if (waitMs === null) await condition(hasWord);
      else await condition(hasWord, Math.max(250, waitMs), { summary: what });
      const word = words.shift();
      if (word !== undefined) return word;
      const woken = wake;
      wake = null;
      return woken;
    },
    answerQueriesWith(job) {
      latest = job;
    },
  };
};

const makeWake = (word: WakeSignal | undefined): Wake => ({
  kind: 'wake',
  examineOwner: word?.examineOwner === true,
  stopped: word?.stopped ?? null,
  unreachableAttemptId: word?.unreachableAttemptId ?? null,
});

const foldWakes = (earlier: Wake | null, later: Wake): Wake => ({
  kind: 'wake',
  examineOwner: later.examineOwner || (earlier?.examineOwner ?? false),
  stopped: later.stopped ?? earlier?.stopped ?? null,
  unreachableAttemptId: later.unreachableAttemptId ?? earlier?.unreachableAttemptId ?? null,
});

const hasOnly = (word: object | undefined, names: readonly string[]): boolean =>
  Object.keys(word ?? {}).every((name) => names.includes(name));

const resolutionOf = (word: { resolutionType?: unknown } | undefined): ResolutionType =>
  resolutionTypes.find((type) => type === word?.resolutionType) ?? 'manual';

/** People type signals by hand: only texts are taken for texts. */
const textsOf = (
  word: { reason?: unknown; note?: unknown; actor?: unknown } | undefined,
): { reason?: string; note?: string; actor?: string } => ({
  ...(typeof word?.reason === 'string' ? { reason: word.reason } : {}),
  ...(typeof word?.note === 'string' ? { note: word.note } : {}),
  ...(typeof word?.actor === 'string' ? { actor: word.actor } : {}),
});
