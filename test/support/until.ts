import { setTimeout as delay } from 'node:timers/promises';

export interface UntilOptions {
  /** Said in the error when it never comes true: "the job has ended". */
  what: string;
  timeoutMs?: number;
  everyMs?: number;
}

/** Asks again and again until the answer is truthy, and returns it. A condition that throws is asked again; its last error is reported. */
export async function until<Answer>(condition: () => Answer | Promise<Answer>, options: UntilOptions): Promise<NonNullable<Answer>> {
  const { what, timeoutMs = 60_000, everyMs = 25 } = options;
  const deadline = Date.now() + timeoutMs;
  let last: unknown;
  for (;;) {
    try {
      const answer = await condition();
      if (answer) return answer;
      last = answer;
    } catch (error) {
      last = error;
    }
    if (Date.now() >= deadline) break;
    await delay(everyMs);
  }
  const seen = last instanceof Error ? last.message : JSON.stringify(last);
  throw new Error(`Waited ${timeoutMs} ms in vain until ${what}; the last answer was: ${seen}`, { cause: last });
}
