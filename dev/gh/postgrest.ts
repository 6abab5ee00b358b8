import type { Pool } from 'pg';
import type { NetworkLine } from './network-line';
import type { ProcessLife } from './process-life';

export interface PatchedRow {
  status: string;
  execution_attempt_id: string | null;
}

/**
 * How a worker writes job rows and events: over PostgREST, where an error is an answer that GH's code does not look at. So a refused write
 * (an unknown column, a CHECK, an outage) is lost in silence and whole (ghosthands §5.6). Nothing is fenced (ghosthands §3.4).
 */
export class Postgrest {
  isDown = false;

  constructor(
    private readonly pool: Pool,
    private readonly life: ProcessLife,
    private readonly line: NetworkLine,
    private readonly say: (line: string) => void,
  ) {}

  /** Sets the named columns of one row, whatever its state; answers null when that was refused. */
  async patchJob(rowId: string, columns: Record<string, unknown>): Promise<PatchedRow | null> {
    const names = Object.keys(columns);
    const assignments = names.map((name, index) => `${name} = $${index + 2}`).join(', ');
    const values = names.map((name) => toParameter(columns[name]));
    const sql = `update gh_automation_jobs set ${assignments} where id = $1 returning status, execution_attempt_id`;
    return this.send<PatchedRow>(`patch of ${rowId}`, sql, [rowId, ...values]);
  }

  async insertEvent(event: { rowId: string; eventType: string; metadata: Record<string, unknown>; actor: string }): Promise<void> {
    await this.send(`event ${event.eventType}`, 'insert into gh_job_events (job_id, event_type, metadata, actor) values ($1, $2, $3, $4)', [
      event.rowId,
      event.eventType,
      JSON.stringify(event.metadata),
      event.actor,
    ]);
  }

  async send<R extends object>(what: string, sql: string, values: unknown[]): Promise<R | null> {
    await this.life.run(this.line.pass());
    if (this.isDown) return this.refused(what, 'PostgREST is down');
    try {
      const { rows } = await this.life.run(this.pool.query<R>(sql, values));
      return rows[0] ?? null;
    } catch (error) {
      return this.refused(what, error instanceof Error ? error.message : String(error));
    }
  }

  private refused(what: string, why: string): null {
    this.say(`PostgREST refused the ${what}: ${why}`);
    return null;
  }
}

function toParameter(value: unknown): unknown {
  const isJson = typeof value === 'object' && value !== null && !(value instanceof Date);
  return isJson ? JSON.stringify(value) : value;
}
