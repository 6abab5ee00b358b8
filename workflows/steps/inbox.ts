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
import type { ResolutionType } from '../../src/contracts/command';
import { parseFields, type FieldRules, type Parsed, type Shape } from '../../src/domain/field-rules';
import { messages } from '../../src/domain/workflow-inputs';
import { takeMessage } from './input';

/** A word to a job. Wakes fold into one, since the row is read once for all of them; people's words keep their order. */
export type Word =
  | { kind: 'wake'; examineOwner: boolean; stopped: Stopped | null; unreachableAttemptId: string | null }
  | { kind: 'cancel'; reason?: string; actor?: string }
  | { kind: 'resume'; resolutionType: ResolutionType; note?: string; actor?: string }
  | { kind: 'resolve'; submitted: boolean; note?: string; actor?: string; generation?: number }
  | { kind: 'retry'; confirm?: boolean; actor?: string; generation?: number };

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

  setHandler(wakeSignal, (word) => hear(messages.wake, word, (heard) => put(makeWake(heard))), {
    description: 'Look at the rows again. {"reason":"…","examineOwner":true}',
  });
  setHandler(cancelSignal, (word) => hear(messages.cancel, bareWord(word), (cancel) => put({ kind: 'cancel', ...cancel })), {
    description: 'Cancel the job. {"reason":"…","actor":"…"}',
  });
  setHandler(
    resumeSignal,
    (word) => {
      if (parseFields(word, messages.resume).unknown.length === 0)
        hear(messages.resume, word, (resume) => put({ kind: 'resume', resolutionType: 'manual', ...resume }));
      // Not even its names: histories are kept and shared, logs are read by many.
      else
        log.warn(
          'A resume with more than resolutionType, note and actor is ignored: codes and passwords come over REST only, POST /v1/jobs/:jobId/resume',
        );
    },
    {
      description: 'The person at the page is done. {"resolutionType":"manual","note":"…","actor":"…"}; codes and passwords over REST only',
    },
  );
  setHandler(resolveSignal, (word) => hear(messages.resolve, word, (resolve) => put({ kind: 'resolve', ...resolve })), {
    description: 'Say how a review or an uncertain job ended. {"submitted":true|false,"note":"…","actor":"…"}',
  });
  setHandler(retrySignal, (word) => hear(messages.retry, word, (retry) => put({ kind: 'retry', ...retry })), {
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

const hear = <Needed extends FieldRules, Optional extends FieldRules>(
  shape: Shape<Needed, Optional>,
  given: unknown,
  act: (message: Parsed<Needed, Optional>) => void,
): void => {
  const message = takeMessage(shape, given);
  if (message !== null) act(message);
};

/** "closed" instead of {"reason":"closed"}: the name of a cancel says enough. */
const bareWord = (given: unknown): unknown => (typeof given === 'object' ? given : {});

const makeWake = ({ examineOwner, stopped, unreachableAttemptId }: Partial<Omit<WakeSignal, 'reason'>>): Wake => ({
  kind: 'wake',
  examineOwner: examineOwner === true,
  stopped: stopped ?? null,
  unreachableAttemptId: unreachableAttemptId ?? null,
});

const foldWakes = (earlier: Wake | null, later: Wake): Wake => ({
  kind: 'wake',
  examineOwner: later.examineOwner || (earlier?.examineOwner ?? false),
  stopped: later.stopped ?? earlier?.stopped ?? null,
  unreachableAttemptId: later.unreachableAttemptId ?? earlier?.unreachableAttemptId ?? null,
});
