export interface LifeEvent {
  at: number;
  workerId: string;
  processId: string;
  /** `silent`: it is there, and neither answers nor writes, until it is `heard` again. */
  event: 'started' | 'ended' | 'silent' | 'heard';
}

/** When each process of the fleet lived, and could be heard, whatever any table says of its worker. */
export class Lives {
  private readonly kept: LifeEvent[] = [];

  note(process: { workerId: string; processId: string }, event: LifeEvent['event']): void {
    const { workerId, processId } = process;
    this.kept.push({ at: Date.now(), workerId, processId, event });
  }

  /** True when a process of that worker lived and could be heard at that moment. */
  couldBeHeard(workerId: string, atMs: number): boolean {
    const heard = new Set<string>();
    for (const { at, workerId: whose, processId, event } of this.kept) {
      if (at > atMs || whose !== workerId) continue;
      if (event === 'started' || event === 'heard') heard.add(processId);
      else heard.delete(processId);
    }
    return heard.size > 0;
  }
}
