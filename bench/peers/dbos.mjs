import { DBOS } from '@dbos-inc/dbos-sdk';

/** A workflow of three steps, begun in the process that starts it, without a queue: its fastest way. */
export const start = async ({ databaseUrl, told, done }) => {
  DBOS.setConfig({ name: 'bench', systemDatabaseUrl: databaseUrl, runAdminServer: false, logLevel: 'error' });
  const life = DBOS.registerWorkflow(
    async (id) => {
      await DBOS.runStep(async () => told(id), { name: 'first' });
      await DBOS.runStep(async () => undefined, { name: 'second' });
      await DBOS.runStep(async () => undefined, { name: 'third' });
    },
    { name: 'life' },
  );
  await DBOS.launch();
  return {
    async submit(id) {
      const handle = await DBOS.startWorkflow(life, { workflowID: id })(id);
      const finish = async () => {
        await handle.getResult();
        done(id);
      };
      void finish();
    },
    stop: async () => await DBOS.shutdown(),
  };
};
