import type { PortAnswer } from '../../domain/process-liveness';

/** What the probe `p` of an attempt's host says of its worker's port, as columns; moments by the database's clock. */
export const portColumns = `
  case when p.host is null then null when p.is_worker_up then 'answers' when p.problem = 'refused' then 'refused' else 'silent' end as port,
  p.worker_id as port_worker_id, p.active_jobs, (extract(epoch from p.probed_at) * 1000)::float8 as probed_at_ms,
  (extract(epoch from p.process_started_at) * 1000)::float8 as process_started_at_ms`;

export interface PortRow {
  port: PortAnswer['kind'] | null;
  port_worker_id: string | null;
  active_jobs: number | null;
  probed_at_ms: number;
  process_started_at_ms: number | null;
}

export const toPort = (row: PortRow): PortAnswer | null => {
  const { port: kind, probed_at_ms: atMs, process_started_at_ms: startedAtMs } = row;
  if (kind !== 'answers') return kind === null ? null : { kind, atMs };
  // Where it is not known, it may be as old as any.
  const [startedAfterMs, startedBeforeMs] = [startedAtMs ?? -Infinity, startedAtMs ?? atMs];
  return { kind, atMs, workerId: row.port_worker_id ?? '', activeJobs: row.active_jobs ?? 0, startedAfterMs, startedBeforeMs };
};
