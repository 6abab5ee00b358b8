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
import { messageShapes } from '../../src/domain/workflow-inputs';
import { takeMessage } from './input';

/** A message to a job. Wakes fold into one, since the row is read once for all of them; people's messages keep their order. */
export type Message =
  | { kind: 'wake'; examineOwner: boolean; stopped: Stopped | null; unreachableAttemptId: string | null }
  | { kind: 'cancel'; reason?: string; actor?: string }
  | { kind: 'resume'; resolutionType: ResolutionType; note?: string; actor?: string }
  | { kind: 'resolve'; submitted: boolean; note?: string; actor?: string; generation?: number }
  | { kind: 'retry'; confirm?: boolean; actor?: string; generation?: number };

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

  setHandler(wakeSignal, (message) => receive(messageShapes.wake, message, (taken) => put(makeWake(taken))), {
    description: 'Look at the rows again. {"reason":"…","examineOwner":true}',
  });
  setHandler(
    cancelSignal,
    (message) => receive(messageShapes.cancel, objectOrEmpty(message), (cancel) => put({ kind: 'cancel', ...cancel })),
    {
      description: 'Cancel the job. {"reason":"…","actor":"…"}',
    },
  );
  setHandler(
    resumeSignal,
    (message) => {
      if (parseFields(message, messageShapes.resume).unknown.length === 0)
        receive(messageShapes.resume, message, (resume) => put({ kind: 'resume', resolutionType: 'manual', ...resume }));
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
  setHandler(resolveSignal, (message) => receive(messageShapes.resolve, message, (resolve) => put({ kind: 'resolve', ...resolve })), {
    description: 'Say how a review or an uncertain job ended. {"submitted":true|false,"note":"…","actor":"…"}',
  });
  setHandler(retrySignal, (message) => receive(messageShapes.retry, message, (retry) => put({ kind: 'retry', ...retry })), {
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

const receive = <Needed extends FieldRules, Optional extends FieldRules>(
  shape: Shape<Needed, Optional>,
  given: unknown,
  act: (message: Parsed<Needed, Optional>) => void,
): void => {
  const message = takeMessage(shape, given);
  if (message !== null) act(message);
};

/** "closed" instead of {"reason":"closed"}: the name of a cancel says enough. */
const objectOrEmpty = (given: unknown): unknown => (typeof given === 'object' ? given : {});

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
