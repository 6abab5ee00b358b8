// Containers of one host, and how they are named and shown.

export const containerName = ({ config }, role, version) => `${config.service}-${role}-${config.destination}-${version}`;
export const rolesOf = (run, machine) => run.roles.filter(({ hosts }) => hosts.includes(machine.ip)).map(({ name }) => name);

export const portTaken = (role, from) =>
  `${from}Error response from daemon: driver failed programming external connectivity on endpoint: Bind for 0.0.0.0:${role === 'web' ? 3100 : 3101} failed: port is already allocated.`;

export const forEachRole = async (run, act, { atOnce = false } = {}) =>
  await run.onHosts(run.hosts, async (machine) => {
    const roles = rolesOf(run, machine);
    if (atOnce) await Promise.all(roles.map(async (role) => await act(machine, role)));
    else for (const role of roles) await act(machine, role);
  });

export const change = (run, machine, act) => {
  if (run.misbehaviour.hasNoEffect) return;
  const containers = machine.containers();
  act(containers);
  machine.saveContainers(containers);
};

export async function setState(run, machine, name, state, command) {
  // Whoever cannot be reached stops nothing.
  machine.requireReachable();
  const known = machine.containers().find((container) => container.name === name);
  if (known?.state === 'running' && !run.misbehaviour.hasNoEffect) await run.drive(machine.ip, known.role, 'stop', known.version);
  await run.remote(machine, command, () => {
    change(run, machine, (containers) => {
      for (const container of containers) if (container.name === name && container.state === 'running') container.state = state;
    });
    return '';
  });
}

/** Under its host, with an empty line behind it; with -q the hosts come without a name, in the order in which they answered. */
export const listing = (run, machine, text) => {
  run.output.heading(machine.ip);
  run.output.print(`${text}\n`);
};

export const table = (run, containers) =>
  [
    'CONTAINER ID  IMAGE                          COMMAND     CREATED             STATUS                 PORTS       NAMES',
    ...containers.map(
      ({ id, name, role, version, state }) =>
        `${id}  ${run.image(version)}  ${role === 'web' ? 'api' : 'worker'}  2 minutes ago  ${state === 'running' ? 'Up 2 minutes' : 'Exited (0) 1 minute ago'}              ${name}`,
    ),
  ].join('\n');
