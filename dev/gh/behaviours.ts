import { z } from 'zod';

/** What one application does, chosen by its target URL (`https://sim.test/<name>/<any text>?…`). */
export interface Behaviour {
  name: string;
  /** Real milliseconds from the URL; null takes GH's scaled default. */
  startMs: number | null;
  /** `startMs` is that of so many first attempts of the job. */
  slowStarts: number;
  workMs: number | null;
  /** After its first action the form waits for this. */
  untilFile: string | null;
  /** Bounds the handler instead of the row's `timeout_seconds`. */
  handlerTimeoutMs: number | null;
  end: 'submitted' | 'review' | 'keep-open';
  /** `times`: only the first attempts of the job do it. */
  failure: { at: 'validation' | 'start' | 'form' | 'after-submit'; code: string; times: number } | null;
  crash: { at: 'before-form' | 'after-form' | 'after-submit'; times: number } | null;
  browserCrash: { at: 'before-submit' | 'after-submit' } | null;
  hang: 'start' | 'form' | null;
  /** `error`: the pause begins in the error path, whose resume leaves a zombie (ghosthands §6.3). */
  human: { type: string; at: 'initial' | 'form' | 'error' } | null;
  /** Somebody deregisters the worker in the middle: the row fails, the worker finishes and overwrites it (ghosthands §1.4). */
  isDeregistered: boolean;
  /** Staging puts a row that wants a login back to `pending`, whatever its max_retries say (ghosthands §9). */
  requeuesLogin: boolean;
  callbacks: CallbackFaults;
}

export interface CallbackFaults {
  /** Callbacks that never arrive. */
  lost: string[];
  /** How often each one is sent again. */
  repeat: number;
  /** The final callback overtakes all others. */
  reorder: boolean;
  delayMs: number;
  /** Callbacks that `delayMs` holds back; empty means all. */
  delayed: string[];
}

const forEver = 1_000_000;

const words = z
  .string()
  .optional()
  .transform((text) => text?.split(',').filter(Boolean) ?? []);
const ms = z.coerce.number().int().nonnegative().nullable().catch(null);
const optionalMs = z.preprocess((value) => value ?? null, ms);
const count = z.coerce.number().int().nonnegative().optional().catch(undefined);
const flag = z
  .string()
  .optional()
  .transform((text) => text !== undefined && text !== '0' && text !== 'false');

const querySchema = z.object({
  ms: optionalMs,
  startMs: optionalMs,
  untilFile: z.string().optional(),
  handlerTimeoutMs: optionalMs,
  times: count,
  code: z.string().optional(),
  type: z.string().optional(),
  at: z.string().optional(),
  when: z.string().optional(),
  requeue: flag,
  lost: words,
  repeat: count,
  reorder: flag,
  delayMs: count,
  delayed: words,
});
type Query = z.infer<typeof querySchema>;

/** The names; each one takes the parameters that all share: ms, untilFile, startMs, handlerTimeoutMs, times, lost, repeat, reorder, delayMs, delayed. */
const behaviours: Record<string, (query: Query) => Partial<Behaviour>> = {
  quick: () => ({}),
  callbacks: () => ({}),
  'slow-start': ({ startMs, ms: slowMs, times }) => ({ startMs: startMs ?? slowMs ?? 2_000, slowStarts: times ?? forEver, workMs: null }),
  'fails-before-form': ({ code, times }) => ({ failure: { at: 'start', code: code ?? 'network_error', times: times ?? 1 } }),
  'fails-after-form': ({ code, times }) => ({ failure: { at: 'form', code: code ?? 'timeout', times: times ?? forEver } }),
  'fails-after-submit': ({ code, times }) => ({ failure: { at: 'after-submit', code: code ?? 'timeout', times: times ?? forEver } }),
  invalid: ({ times }) => ({ failure: { at: 'validation', code: 'validation_error', times: times ?? forEver } }),
  // Asked before a browser exists, so without a human: the code of a posting that nobody can enter.
  'login-required': ({ times, requeue }) => ({
    failure: { at: 'start', code: 'login_required', times: times ?? forEver },
    requeuesLogin: requeue,
  }),
  blocker: ({ type, at }) => ({ human: { type: type ?? 'captcha', at: pick(at, ['initial', 'form', 'error'], 'form') } }),
  'blocker-2fa': ({ at }) => ({ human: { type: '2fa', at: pick(at, ['initial', 'form', 'error'], 'form') } }),
  // The handler's time ends during the pause: the job fails, the wait stays behind on the pool (ghosthands §6.3).
  'ghost-waiter': ({ type, handlerTimeoutMs }) => ({
    human: { type: type ?? 'captcha', at: 'form' },
    handlerTimeoutMs: handlerTimeoutMs ?? 300,
  }),
  review: () => ({ end: 'review' }),
  'keep-open': () => ({ end: 'keep-open' }),
  // In the form GH's handler timeout ends it, while the browser starts nothing does (ghosthands §5.2).
  hang: ({ at }) => ({ hang: pick(at, ['start', 'form'], 'form') }),
  crash: ({ when, times }) => ({
    crash: { at: pick(when, ['before-form', 'after-form', 'after-submit'], 'before-form'), times: times ?? 1 },
  }),
  'recovers-from-browser-crash': ({ when }) => ({ browserCrash: { at: pick(when, ['before-submit', 'after-submit'], 'before-submit') } }),
  'late-write': () => ({ isDeregistered: true }),
};

export const behaviourNames = Object.keys(behaviours);

/** An unknown path, or a posting elsewhere than on sim.test, is applied to quickly. */
export function parseBehaviour(targetUrl: string): Behaviour {
  const url = URL.canParse(targetUrl) ? new URL(targetUrl) : null;
  const isOurs = url?.hostname === 'sim.test';
  const query = querySchema.parse(isOurs ? Object.fromEntries(url.searchParams) : {});
  const wanted = (isOurs && url.pathname.split('/')[1]) || 'quick';
  const name = Object.hasOwn(behaviours, wanted) ? wanted : 'quick';
  return {
    name,
    startMs: query.startMs,
    slowStarts: forEver,
    workMs: query.ms,
    untilFile: query.untilFile ?? null,
    handlerTimeoutMs: query.handlerTimeoutMs,
    end: 'submitted',
    failure: null,
    crash: null,
    browserCrash: null,
    hang: null,
    human: null,
    isDeregistered: false,
    requeuesLogin: false,
    callbacks: {
      lost: query.lost,
      repeat: query.repeat ?? 0,
      reorder: query.reorder,
      delayMs: query.delayMs ?? 0,
      delayed: query.delayed,
    },
    ...behaviours[name]?.(query),
  };
}

function pick<const T extends string>(wanted: string | undefined, allowed: readonly T[], otherwise: NoInfer<T>): T {
  return allowed.find((word) => word === wanted) ?? otherwise;
}
