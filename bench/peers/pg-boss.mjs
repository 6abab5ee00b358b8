import { PgBoss } from 'pg-boss';

/** With NOTIFY, which it has since 12; otherwise it polls twice a second at most. A job has no steps. */
export const start = async ({ databaseUrl, concurrency, told, done }) => {
  const boss = new PgBoss({ connectionString: databaseUrl, useListenNotify: true });
  boss.on('error', (error) => console.error(error));
  await boss.start();
  await boss.createQueue('job', { notify: true });
  await boss.work('job', { localConcurrency: concurrency, pollingIntervalSeconds: 0.5 }, async ([{ data }]) => {
    told(data.id);
    done(data.id);
  });
  return {
    submit: async (id) => await boss.send('job', { id }),
    stop: async () => await boss.stop({ graceful: false }),
  };
};
