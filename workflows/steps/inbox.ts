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

/** A message to a job. Wakes fold into one, since the row is read once for all of them; people's messages keep their order. */
export type Message =
  | { kind: 'wake'; examineOwner: boolean; stopped: Stopped | null; unreachableAttemptId: string | null }
  | { kind: 'cancel'; reason?: string; actor?: string }
  | { kind: 'resume'; resolutionType: ResolutionType; note?: string; actor?: string }
  | { kind: 'resolve'; submitted: boolean; note?: string; actor?: string }
  | { kind: 'retry'; confirm?: boolean; actor?: string };

type Wake = Extract<Message, { kind: 'wake' }>;

/** What a cancel proved of the process that had an attempt. */
type Stopped = NonNullable<WakeSignal['stopped']>;

export interface Inbox {
  put(message: Message): void;
  isEmpty(): boolean;
  /** The next message, or null when `waitMs` is over; null waits for a message alone. `what` names the timer for people. */
  next(waitMs: number | null, what: string): Promise<Message | null>;
  answerQueriesWith(job: JobView): void;
}

export const openInbox = (): Inbox => {
  const messages: Message[] = [];
  let wake: Wake | null = null;
  let latest: JobView | null = null;

  const put = (message: Message): void => {
    if (message.kind === 'wake') wake = foldWakes(wake, message);
    else messages.push(message);
  };

  setHandler(wakeSignal, (message) => put(makeWake(message)), {
    description: 'Look at the rows again. {"reason":"…","examineOwner":true}',
  });
  setHandler(cancelSignal, (message) => put({ kind: 'cancel', ...textsOf(message) }), {
    description: 'Cancel the job. {"reason":"…","actor":"…"}',
  });
  setHandler(
    resumeSignal,
    (message) => {
      if (hasOnly(message, ['resolutionType', 'note', 'actor']))
        put({ kind: 'resume', resolutionType: resolutionOf(message), ...textsOf(message) });
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
    (message) => {
      // A signal cannot be refused; one that says nothing must not end a job.
      if (typeof message?.submitted === 'boolean') put({ kind: 'resolve', submitted: message.submitted, ...textsOf(message) });
      else log.warn('A resolve without submitted: true or false is ignored');
    },
    { description: 'Say how a review or an uncertain job ended. {"submitted":true|false,"note":"…","actor":"…"}' },
  );
  setHandler(retrySignal, (message) => put({ kind: 'retry', confirm: message?.confirm === true, ...textsOf(message) }), {
    description: 'Try an uncertain job again, as its next generation. {"confirm":true,"actor":"…"}',
  });
  setHandler(statusQuery, () => latest, { description: 'What the workflow knows of its job' });

  return {
    put,
    isEmpty: () => messages.length === 0 && wake === null,
    async next(waitMs, what) {
      const hasMessage = (): boolean => messages.length > 0 || wake !== null;
      // At least a moment, so that a deadline that cannot be acted upon yet never spins.
      if (waitMs === null) await condition(hasMessage);
      else await condition(hasMessage, Math.max(250, waitMs), { summary: what });
      const message = messages.shift();
      if (message !== undefined) return message;
      const woken = wake;
      wake = null;
      return woken;
    },
    answerQueriesWith(job) {
      latest = job;
    },
  };
};

const makeWake = (message: WakeSignal | undefined): Wake => ({
  kind: 'wake',
  examineOwner: message?.examineOwner === true,
  stopped: message?.stopped ?? null,
  unreachableAttemptId: message?.unreachableAttemptId ?? null,
});

const foldWakes = (earlier: Wake | null, later: Wake): Wake => ({
  kind: 'wake',
  examineOwner: later.examineOwner || (earlier?.examineOwner ?? false),
  stopped: later.stopped ?? earlier?.stopped ?? null,
  unreachableAttemptId: later.unreachableAttemptId ?? earlier?.unreachableAttemptId ?? null,
});

const hasOnly = (message: object | undefined, names: readonly string[]): boolean =>
  Object.keys(message ?? {}).every((name) => names.includes(name));

const resolutionOf = (message: { resolutionType?: unknown } | undefined): ResolutionType =>
  resolutionTypes.find((type) => type === message?.resolutionType) ?? 'manual';

/** People type signals by hand: only texts are taken for texts. */
const textsOf = (
  message: { reason?: unknown; note?: unknown; actor?: unknown } | undefined,
): { reason?: string; note?: string; actor?: string } => ({
  ...(typeof message?.reason === 'string' ? { reason: message.reason } : {}),
  ...(typeof message?.note === 'string' ? { note: message.note } : {}),
  ...(typeof message?.actor === 'string' ? { actor: message.actor } : {}),
});
