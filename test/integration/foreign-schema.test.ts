import type { PoolClient } from 'pg';
import { readForeignFindings, checkForeignSchema, ForeignSchemaUnusable } from '../../src/db/foreign-schema';
import type { FleetSchemaVariant } from '../../dev/fleet-schema/load';
import { createTestDatabase, type TestDatabase } from '../support/database';

type Line = { level: 'info' | 'warn'; message: string };

const databases: Partial<Record<FleetSchemaVariant | 'none', TestDatabase>> = {};

beforeAll(async () => {
  for (const variant of ['main', 'main-repaired', 'staging', 'none'] as const) databases[variant] = await createTestDatabase({ variant });
});

afterAll(async () => {
  for (const database of Object.values(databases)) await database.drop();
});

/** Drifts the tables inside a transaction that is taken back, and answers what the check says, as `severity: what`. */
const findingsAfter = async (variant: FleetSchemaVariant | 'none', drift = '', role?: string): Promise<string[]> => {
  const client: PoolClient = await databases[variant]!.pool.connect();
  try {
    await client.query('begin');
    if (drift !== '') await client.query(drift);
    if (role !== undefined) await client.query(`set local role ${role}`);
    return (await readForeignFindings(client)).map(({ severity, what }) => `${severity}: ${what}`);
  } finally {
    await client.query('rollback');
    client.release();
  }
};

const newFindings = async (drift: string, role?: string): Promise<string[]> => {
  const usual = await findingsAfter('staging');
  return (await findingsAfter('staging', drift, role)).filter((finding) => !usual.includes(finding));
};

describe('the variants that exist', () => {
  it('finds nothing wrong with staging', async () => {
    await expect(findingsAfter('staging')).resolves.toEqual(['note: gh_automation_jobs.execution_mode does not allow cookbook_only']);
  });

  it('finds nothing wrong with main as its live databases are, and says how it differs', async () => {
    await expect(findingsAfter('main-repaired')).resolves.toEqual([
      'note: gh_automation_jobs.status does not allow needs_human, awaiting_review',
      'note: gh_automation_jobs.execution_mode does not allow mastra',
    ]);
  });

  it('names the columns that main’s own migrations forget', async () => {
    const findings = await findingsAfter('main');
    expect(findings.filter((finding) => finding.startsWith('degraded'))).toEqual([
      'degraded: column gh_automation_jobs.llm_cost_cents is missing',
      'degraded: column gh_automation_jobs.action_count is missing',
      'degraded: column gh_automation_jobs.total_tokens is missing',
    ]);
  });

  it('names every table that is not there', async () => {
    await expect(findingsAfter('none')).resolves.toEqual([
      'fatal: table gh_automation_jobs is missing',
      'fatal: table gh_job_events is missing',
      'fatal: table gh_worker_registry is missing',
      'degraded: table sandboxes is missing',
    ]);
  });
});

describe('drift', () => {
  it.each<[string, string, string[]]>([
    [
      'a column that was dropped',
      'alter table gh_automation_jobs drop column interaction_data',
      ['fatal: column gh_automation_jobs.interaction_data is missing'],
    ],
    [
      'a column of another type',
      'alter table gh_automation_jobs alter column metadata drop default, alter column metadata type json using metadata::json',
      ['fatal: column gh_automation_jobs.metadata is json, not jsonb'],
    ],
    [
      'a column that is too short',
      'alter table gh_automation_jobs alter column error_code type varchar(20)',
      ['degraded: column gh_automation_jobs.error_code holds 20 characters, not 50'],
    ],
    [
      'a new column that must be filled',
      'alter table gh_automation_jobs add column tenant_id uuid not null',
      ['fatal: column gh_automation_jobs.tenant_id is NOT NULL and has no default'],
    ],
    [
      'a CHECK that means less, however it is written',
      `alter table gh_automation_jobs add constraint odd check (case when status like 'p%' then status <> 'paused' else true end)`,
      ['fatal: gh_automation_jobs.status does not allow paused'],
    ],
    [
      'a CHECK written in another way',
      `alter table gh_automation_jobs drop constraint gh_jobs_status_check, add constraint s check (status ~ '^[a-z_]+$')`,
      [],
    ],
    [
      'a status trigger that is switched off',
      'alter table gh_automation_jobs disable trigger gh_automation_jobs_log_status',
      ['degraded: gh_automation_jobs has no trigger for status_change on update'],
    ],
    [
      'no notification of new rows',
      'drop trigger gh_automation_jobs_notify on gh_automation_jobs',
      ['note: gh_automation_jobs has no trigger for gh_job_created on insert'],
    ],
    [
      'a key that is gone',
      'alter table gh_automation_jobs drop constraint gh_automation_jobs_idempotency_key_key',
      ['degraded: gh_automation_jobs (idempotency_key) is not unique'],
    ],
    [
      'a key that is new',
      'create unique index on gh_automation_jobs (valet_task_id)',
      ['degraded: gh_automation_jobs (valet_task_id) is unique, which we do not expect'],
    ],
    [
      'a sandbox table of another shape',
      'alter table sandboxes rename column instance_id to machine_id',
      ['degraded: column sandboxes.instance_id is missing'],
    ],
  ])('reports %s', async (_what, drift, findings) => {
    await expect(newFindings(drift)).resolves.toEqual(findings);
  });
});

describe('rights', () => {
  const asReader =
    'create role drift_reader; grant select on gh_automation_jobs, gh_job_events, gh_worker_registry, sandboxes to drift_reader;';

  it('names each right that our role lacks', async () => {
    await expect(newFindings(asReader, 'drift_reader')).resolves.toEqual([
      'fatal: our role may not INSERT, UPDATE on gh_automation_jobs',
      'fatal: our role may not INSERT on gh_job_events',
      'degraded: our role may not DELETE on gh_automation_jobs',
      'degraded: our role may not read the queries of other roles (pg_read_all_stats)',
      'degraded: our role may not end the backends of other roles (pg_signal_backend)',
    ]);
  });

  it('believes a right that comes through membership', async () => {
    const findings = await newFindings(`${asReader} grant pg_monitor, pg_signal_backend to drift_reader`, 'drift_reader');
    expect(findings.filter((finding) => finding.includes('other roles'))).toEqual([]);
  });

  it.each([
    ['hidden', '', ['fatal: row level security hides rows of gh_worker_registry from our role']],
    ['shown by a policy', 'create policy all_rows on gh_worker_registry to drift_reader using (true)', []],
    [
      'shown in part',
      `create policy some_rows on gh_worker_registry to drift_reader using (status = 'active')`,
      ['fatal: row level security hides rows of gh_worker_registry from our role'],
    ],
  ])('knows whether rows are %s under row level security', async (_how, policy, expected) => {
    const findings = await newFindings(`${asReader} alter table gh_worker_registry enable row level security; ${policy}`, 'drift_reader');
    expect(findings.filter((finding) => finding.includes('row level'))).toEqual(expected);
  });
});

describe('at the start of a process', () => {
  const check = async (variant: FleetSchemaVariant | 'none'): Promise<{ lines: Line[]; error: unknown }> => {
    const lines: Line[] = [];
    const log = {
      info: (message: string) => lines.push({ level: 'info', message }),
      warn: (message: string) => lines.push({ level: 'warn', message }),
    };
    const error: unknown = await checkForeignSchema(databases[variant]!.pool, log).then(
      () => null,
      (thrown: unknown) => thrown,
    );
    return { lines, error };
  };

  it('goes on with degraded tables, and logs what is lost', async () => {
    const { lines, error } = await check('main');
    expect(error).toBeNull();
    expect(lines).toContainEqual({
      level: 'warn',
      message: expect.stringMatching(/llm_cost_cents is missing\. GH’s workers cannot write how an attempt ended/),
    });
    expect(lines).toContainEqual({
      level: 'info',
      message: expect.stringMatching(/needs_human, awaiting_review\. GH main: a form that waits/),
    });
  });

  it('ends the start when a table is missing', async () => {
    const { error } = await check('none');
    expect(error).toBeInstanceOf(ForeignSchemaUnusable);
    expect(error).toMatchObject({
      message: expect.stringContaining('table gh_automation_jobs is missing; table gh_job_events is missing'),
    });
  });
});
