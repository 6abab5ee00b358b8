import express, { type Express } from 'express';

export interface WorkerStatus {
  workerId: string;
  instanceId: string;
  ip: string;
  activeJobs: number;
  isRunning: boolean;
  isDraining: boolean;
  dispatchMode: 'legacy' | 'queue';
  startedAt: number;
}

/** The worker's own port (ghosthands §2.1): no auth, the current job is not shown. */
export function createStatusApp(process: { read(): WorkerStatus; drain(): void }): Express {
  const app = express();

  app.get('/worker/status', (_request, response) => {
    const worker = process.read();
    response.json({
      worker_id: worker.workerId,
      ec2_instance_id: worker.instanceId,
      ec2_ip: worker.ip,
      active_jobs: worker.activeJobs,
      max_concurrent: 1,
      is_running: worker.isRunning,
      is_draining: worker.isDraining,
      dispatch_mode: worker.dispatchMode,
      asg_name: null,
      uptime_ms: Date.now() - worker.startedAt,
      timestamp: new Date().toISOString(),
    });
  });

  // A 503 with a body is the answer "busy", not a failure. deploy_safe never comes back after a drain.
  app.get('/worker/health', (_request, response) => {
    const worker = process.read();
    const isIdle = worker.activeJobs === 0 && !worker.isDraining;
    const status = isIdle ? 'idle' : worker.isDraining ? 'draining' : 'busy';
    response.status(isIdle ? 200 : 503).json({ status, active_jobs: worker.activeJobs, deploy_safe: isIdle });
  });

  app.post('/worker/drain', (_request, response) => {
    process.drain();
    const worker = process.read();
    response.json({ status: 'draining', active_jobs: worker.activeJobs, worker_id: worker.workerId });
  });

  app.use((_request, response) => {
    response.status(404).json({ error: 'not_found' });
  });
  return app;
}
