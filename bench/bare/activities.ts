import type { Pool } from 'pg';

export interface StepInput {
  jobId: string;
  step: number;
}

/** A step of the bare workflow costs one small statement. `onStep` hears of each before the statement runs. */
export const createBareActivities = ({ pool, onStep }: { pool: Pool; onStep(step: StepInput): void }) => ({
  async doStep(step: StepInput): Promise<string> {
    onStep(step);
    const { rows } = await pool.query<{ answer: string }>('select $1::text as answer', [step.jobId]);
    return rows[0]?.answer ?? '';
  },
});

export type BareActivities = ReturnType<typeof createBareActivities>;
