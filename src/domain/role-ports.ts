/** GH's two ports (ghosthands §1.2), of which a role of Kamal's serves one, both or none. */
export const servedPorts = ['api', 'worker', 'both', 'none'] as const;
export type ServedPorts = (typeof servedPorts)[number];

/** By role; `*` speaks for every role that is not named. */
export type RolePorts = Readonly<Record<string, ServedPorts>>;

/** ATM's names (atm §2.4): `web` serves the API, every other role is a worker. */
export const defaultRolePorts: RolePorts = { web: 'api', '*': 'worker' };

/** What a host with these roles is to answer on. */
export const portsOfRoles = (roles: readonly string[], rolePorts: RolePorts): { hasApi: boolean; hasWorker: boolean } => {
  const served = roles.map((role) => (Object.hasOwn(rolePorts, role) ? rolePorts[role] : rolePorts['*']) ?? 'none');
  return {
    hasApi: served.some((ports) => ports === 'api' || ports === 'both'),
    hasWorker: served.some((ports) => ports === 'worker' || ports === 'both'),
  };
};
