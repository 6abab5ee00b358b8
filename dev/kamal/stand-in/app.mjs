// The app on its hosts: stopped, started, and what can be asked about it.
import { change, containerName, forEachRole, listing, portTaken, setState, table } from './containers.mjs';

export const appCommands = {
  'app stop': {
    async run(run) {
      await run.withLock(async () => {
        await run.misbehaviour.reach('stop');
        await forEachRole(run, async (machine, role) => {
          const running = machine.containers().findLast((container) => container.role === role && container.state === 'running');
          run.audit(machine, 'Stopped app', role);
          const command = `/usr/bin/env sh -c 'docker ps --latest --quiet --filter label=service=${run.config.service} --filter label=role=${role}' | head -1 | xargs docker stop -t 30`;
          await setState(run, machine, running?.name, 'exited', command);
        });
      });
    },
  },
  'app start': {
    async run(run) {
      await run.withLock(async () => {
        await run.misbehaviour.reach('boot');
        await forEachRole(run, async (machine, role) => {
          const name = containerName(run, role, run.config.version);
          const others = machine
            .containers()
            .filter((container) => container.role === role && container.state === 'running' && container.name !== name);
          const known = machine.containers().find((container) => container.name === name);
          run.audit(machine, `Started app version ${run.config.version}`);
          // Kamal does not look whether it worked.
          const answer = await run.remote(
            machine,
            `docker start ${name}`,
            () => {
              if (!known) return { status: 125, stderr: `Error: no container with name or ID "${name}" found: no such container` };
              return others.length > 0 ? { status: 1, stderr: portTaken(role, '') } : name;
            },
            { mayFail: true },
          );
          if (answer !== name) return;
          if (known.state !== 'running') await run.drive(machine.ip, role, 'start', known.version);
          change(run, machine, (containers) => {
            for (const container of containers) if (container.name === name) container.state = 'running';
          });
        });
      });
    },
  },
  'app version': {
    async run(run) {
      const role = run.roles[0];
      await run.onHosts(role.hosts, async (machine) => {
        const current = machine.containers().findLast((container) => container.role === role.name && container.state === 'running');
        const command = `/usr/bin/env sh -c 'docker ps --latest --format '\\''{{.Names}}'\\'' --filter label=role=${role.name}' | head -1`;
        listing(
          run,
          machine,
          await run.remote(machine, command, () => current?.name.slice(containerName(run, role.name, '').length) ?? ''),
        );
      });
    },
  },
  'app details': {
    async run(run) {
      await forEachRole(
        run,
        async (machine, role) => {
          const shown = machine.containers().filter((container) => container.role === role && container.state === 'running');
          listing(run, machine, await run.remote(machine, `docker ps --filter label=role=${role}`, () => table(run, shown)));
        },
        { atOnce: true },
      );
    },
  },
};
