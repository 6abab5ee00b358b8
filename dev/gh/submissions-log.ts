import { appendFileSync, mkdirSync } from 'node:fs';
import path from 'node:path';

export type SubmissionEvent =
  | 'claimed'
  | 'started'
  | 'form_opened'
  | 'submitted'
  /** GH began the application again in a new browser. */
  | 'restarted'
  | 'paused'
  | 'code_received'
  | 'review'
  /** The executor is done and the browser is closed; `detail` says how. */
  | 'ended'
  /** A connection that nobody watched died: the process exits within a second, and goes on until then. */
  | 'connection_lost'
  | 'killed';

export interface SubmissionEntry {
  seq: number;
  at: string;
  workerId: string;
  /** Differs for every process, also for twins and for a restarted container. */
  processId: string;
  rowId: string;
  /** Yardmaster's job id from the row's metadata, else the row's own id. */
  jobId: string;
  attemptNumber: number;
  event: SubmissionEvent;
  detail?: string;
}

/**
 * What really happened at the (simulated) posting, in order, whatever rows and callbacks say. Written synchronously, so that no kill can come
 * between an act and its line. From `claimed` to `ended` or `killed` an attempt runs; each `submitted` is one application sent.
 */
export class SubmissionsLog {
  private readonly kept: SubmissionEntry[] = [];

  constructor(private readonly file: string | undefined) {
    if (file) mkdirSync(path.dirname(file), { recursive: true });
  }

  write(entry: Omit<SubmissionEntry, 'seq' | 'at'>): void {
    const full = { seq: this.kept.length + 1, at: new Date().toISOString(), ...entry };
    this.kept.push(full);
    if (this.file) appendFileSync(this.file, `${JSON.stringify(full)}\n`);
  }

  entries(): SubmissionEntry[] {
    return [...this.kept];
  }
}
