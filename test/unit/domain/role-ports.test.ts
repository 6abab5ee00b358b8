import { defaultRolePorts, portsOfRoles, type RolePorts } from '../../../src/domain/role-ports';

test.each<[roles: string[], rolePorts: RolePorts, hasApi: boolean, hasWorker: boolean]>([
  [['web', 'workers'], defaultRolePorts, true, true],
  [['web'], defaultRolePorts, true, false],
  [['jobs'], defaultRolePorts, false, true],
  [['api', 'cron'], { api: 'api', cron: 'none', '*': 'worker' }, true, false],
  [['all'], { all: 'both' }, true, true],
  [['unnamed'], { web: 'api' }, false, false],
  [['constructor'], { web: 'api' }, false, false],
  [[], defaultRolePorts, false, false],
])('a host with the roles %j, of %j, serves API: %s, worker: %s', (roles, rolePorts, hasApi, hasWorker) => {
  expect(portsOfRoles(roles, rolePorts)).toEqual({ hasApi, hasWorker });
});
