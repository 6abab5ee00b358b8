import type { CallbackFaults } from './behaviours';
import type { ProcessLife } from './process-life';
import type { SimulatedTimes } from './timing';

export interface CallbackPayload {
  job_id: string;
  valet_task_id: string | null;
  status: 'running' | 'completed' | 'failed' | 'needs_human' | 'resumed';
  interaction?: { type: string };
  [field: string]: unknown;
}

/** Answers whether this event may be sent; staging asks its dedupe table (ghosthands §9). */
export type MaySend = (event: { rowId: string; eventType: string; nonce: string }) => Promise<boolean>;

const noFaults: CallbackFaults = { lost: [], repeat: 0, reorder: false, delayMs: 0, delayed: [] };

/**
 * GH's callbacks (ghosthands §8): not awaited, not stored, lost when the process ends, up to four tries each, and without an order, since the
 * tries of different events interleave. The faults of a behaviour come on top.
 */
export class CallbackSender {
  private readonly heldBack = new Map<string, (() => void)[]>();

  constructor(
    private readonly life: ProcessLife,
    private readonly times: SimulatedTimes,
    private readonly serviceSecret: string,
    private readonly maySend: MaySend | null,
  ) {}

  /** Returns at once. */
  send(callbackUrl: string | null, payload: CallbackPayload, faults: CallbackFaults = noFaults): void {
    if (!callbackUrl || faults.lost.includes(payload.status)) return;
    const delayMs = faults.delayed.length === 0 || faults.delayed.includes(payload.status) ? faults.delayMs : 0;
    const deliver = (): void => void this.deliver(callbackUrl, payload, faults.repeat);
    if (!faults.reorder) this.life.after(delayMs, deliver);
    else if (isFinal(payload)) this.life.after(delayMs, () => void this.deliverFirst(callbackUrl, payload, faults.repeat));
    else this.holdBack(payload.job_id, deliver);
  }

  private async deliver(callbackUrl: string, payload: CallbackPayload, repeat: number): Promise<void> {
    if (!(await this.isNew(payload))) return;
    for (let sent = 0; sent <= repeat; sent++) await this.sendWithRetry(callbackUrl, payload);
  }

  private async deliverFirst(callbackUrl: string, payload: CallbackPayload, repeat: number): Promise<void> {
    await this.deliver(callbackUrl, payload, repeat);
    const others = this.heldBack.get(payload.job_id) ?? [];
    this.heldBack.delete(payload.job_id);
    for (const deliver of others) deliver();
  }

  private holdBack(rowId: string, deliver: () => void): void {
    this.heldBack.set(rowId, [...(this.heldBack.get(rowId) ?? []), deliver]);
  }

  private async isNew(payload: CallbackPayload): Promise<boolean> {
    if (!this.maySend) return true;
    const nonce = payload.interaction ? `${payload.status}:${payload.interaction.type}` : payload.status;
    return this.maySend({ rowId: payload.job_id, eventType: payload.status, nonce });
  }

  private async sendWithRetry(callbackUrl: string, payload: CallbackPayload): Promise<void> {
    for (const delayMs of [0, ...this.times.callbackRetryMs]) {
      if (delayMs > 0) await this.life.sleep(delayMs);
      if (await this.trySend(callbackUrl, payload)) return;
    }
  }

  private async trySend(callbackUrl: string, payload: CallbackPayload): Promise<boolean> {
    try {
      const response = await this.life.run(
        fetch(callbackUrl, {
          method: 'POST',
          headers: {
            'content-type': 'application/json',
            'user-agent': 'GhostHands-Callback/1.0',
            'x-gh-service-key': this.serviceSecret,
          },
          body: JSON.stringify(payload),
          signal: AbortSignal.any([this.life.signal, AbortSignal.timeout(this.times.callbackTimeoutMs)]),
        }),
      );
      await this.life.run(response.arrayBuffer());
      return response.ok;
    } catch {
      // Refused, reset or timed out: the next try may do better, and nobody hears of the last one.
      return false;
    }
  }
}

const isFinal = (payload: CallbackPayload): boolean => payload.status === 'completed' || payload.status === 'failed';
