/** What came of sending one callback. `status` is null where no answer came; `retryAfterMs` where the answer says when to come back. */
export type CallbackReply =
  | { kind: 'accepted' }
  /** The product's task is terminal already (valet §2.1). */
  | { kind: 'skipped' }
  /** The address is none that we may send to. */
  | { kind: 'refused'; error: string }
  | { kind: 'failed'; error: string; status: number | null; retryAfterMs: number | null };

/** Where a callback stands. `isOutdated`: what waits behind it tells more, the final one of its generation or any one of a later generation. */
export interface CallbackPlace {
  isFinal: boolean;
  isOutdated: boolean;
  isOverdue: boolean;
}

export type CallbackVerdict =
  /** `endsGeneration`: what is left of its generation is settled with it. */
  | { act: 'settle'; settledAs: 'delivered' | 'superseded' | 'refused' | 'given_up'; error: string | null; endsGeneration: boolean }
  | { act: 'try_again'; error: string; notBeforeMs: number; isRefused: boolean };

/**
 * Who is meant by a status that is no success. `message`: this body as it is, and the same bytes get the same answer. `receiver`: whatever we send there, as
 * long as its address, key or route is not put right. `moment`: nothing but now. `gone`: for good, whatever it is.
 */
type Refusal = 'message' | 'receiver' | 'moment' | 'gone';

/** VALET answers 400 without its two fields, 401 without the key or its own secret, 429 over its rate limit, 500, and 200 for everything else (valet §2.1). */
const refusals: Readonly<Record<number, Refusal>> = {
  // A wrong or missing key, on either side; a firewall.
  401: 'receiver',
  402: 'receiver',
  403: 'receiver',
  407: 'receiver',
  // The path is not there: another API is up, or not yet.
  404: 'receiver',
  405: 'receiver',
  414: 'receiver',
  421: 'receiver',
  426: 'receiver',
  408: 'moment',
  423: 'moment',
  425: 'moment',
  429: 'moment',
  410: 'gone',
};

const refusalOf = (status: number | null): Refusal => {
  if (status === null || status >= 500) return 'moment';
  // A redirect is not followed, since the key goes along.
  if (status < 400) return 'receiver';
  return refusals[status] ?? 'message';
};

/**
 * A progress message that is refused for good is left out, so that it never holds the final one back; one that fails for the receiver's sake gives way as soon
 * as something waits that tells more. The final one is tried to its deadline whatever refuses it: the product may learn to take it, nothing of its generation
 * waits behind it, and nothing else tells the end. Only a later generation makes it pointless, and 410 ends everything. Outages keep every message in its place.
 */
export const judgeCallback = (reply: CallbackReply, { isFinal, isOutdated, isOverdue }: CallbackPlace): CallbackVerdict => {
  const settle = (settledAs: Extract<CallbackVerdict, { act: 'settle' }>['settledAs'], error: string | null, endsGeneration = false) =>
    ({ act: 'settle', settledAs, error, endsGeneration }) as const;
  switch (reply.kind) {
    case 'accepted':
      return settle('delivered', null);
    case 'skipped':
      return settle('superseded', null, true);
    case 'refused':
      return settle('refused', reply.error);
    case 'failed': {
      const refusal = refusalOf(reply.status);
      if (refusal === 'gone') return settle('refused', reply.error, true);
      const isRefused = refusal !== 'moment';
      if ((refusal === 'message' && !isFinal) || (isRefused && isOutdated)) return settle('refused', reply.error);
      if (isOverdue) return settle('given_up', reply.error);
      return { act: 'try_again', error: reply.error, notBeforeMs: reply.retryAfterMs ?? 0, isRefused };
    }
  }
};

/** RFC 9110's three forms of a date. The last one names no zone and means UTC. */
const dateForms = [
  /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/,
  /^[A-Z][a-z]{5,8}, \d{2}-[A-Z][a-z]{2}-\d{2} \d{2}:\d{2}:\d{2} GMT$/,
  /^[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d{2}:\d{2}:\d{2} \d{4}$/,
];

const parseHttpDate = (text: string): number | null => {
  if (!dateForms.some((form) => form.test(text))) return null;
  const at = Date.parse(text.endsWith(' GMT') ? text : `${text} GMT`);
  return Number.isNaN(at) ? null : at;
};

/**
 * Retry-After as a wait, in seconds or as a date; null where it says nothing. A date is compared with the Date of the same answer, since the clocks of two
 * machines differ. `maxMs`: no answer stops us for longer.
 */
export const readRetryAfterMs = (
  { retryAfter, date }: { retryAfter: string | undefined; date: string | undefined },
  { now, maxMs }: { now: Date; maxMs: number },
): number | null => {
  const text = retryAfter?.trim() ?? '';
  if (/^\d+$/.test(text)) return Math.min(maxMs, Number(text) * 1_000);
  const at = parseHttpDate(text);
  if (at === null) return null;
  return Math.min(maxMs, Math.max(0, at - (parseHttpDate(date?.trim() ?? '') ?? now.getTime())));
};
