import type { AttemptPort } from '../domain/attempt-sweep';

/** What the probe `p` of an attempt's host says of its worker's port, as columns. */
export const portColumns = `
  case when p.host is null then null when p.is_worker_up then 'answers' when p.problem = 'refused' then 'refused' else 'silent' end as port,
  p.worker_id as port_worker_id, p.active_jobs`;

export interface PortRow {
  port: 'answers' | 'refused' | 'silent' | null;
  port_worker_id: string | null;
  active_jobs: number | null;
  has_restarted: boolean;
}

export const toPort = ({
  port,
  port_worker_id: workerId,
  active_jobs: activeJobs,
  has_restarted: hasRestarted,
}: PortRow): AttemptPort | null =>
  port === 'answers'
    ? { kind: 'answers', workerId: workerId ?? '', activeJobs: activeJobs ?? 0, hasRestarted }
    : port === null
      ? null
      : { kind: port };
