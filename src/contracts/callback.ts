/** Statuses of our callbacks that are safe under both variants of the neighbours' tables (valet §2.2). */
export const callbackStatuses = ['running', 'paused', 'completed', 'failed', 'cancelled', 'expired'] as const;
export type CallbackStatus = (typeof callbackStatuses)[number];

/** One callback to the product. Never `kasm_url`, `browser_session_available`, `cost_breakdown`: each replaces its metadata wholesale (valet §2.2). */
export interface CallbackBody {
  job_id: string;
  valet_task_id: string | null;
  status: CallbackStatus;
  worker_id?: string;
  completed_at?: string;
  result_data?: unknown;
  result_summary?: string;
  screenshot_url?: string;
  error_code?: string;
  error_message?: string;
  cost?: { total_cost_usd: number; action_count: number; total_tokens: number };
  interaction?: { type: string; description: string; page_url?: string; screenshot_url?: string; timeout_seconds: number };
}
