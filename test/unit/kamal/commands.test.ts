import * as commands from '../../../src/kamal/commands';

const hosts = ['10.0.0.1', '10.0.0.2'];

it.each([
  [commands.version(), 'version'],
  [commands.config(), 'config'],
  [
    commands.lockAcquire({ message: 'yard/kamal-deploy-a-b/1', version: 'v1', hosts: ['10.0.0.1'] }),
    'lock acquire --message=yard/kamal-deploy-a-b/1 --version=v1 --hosts=10.0.0.1',
  ],
  [commands.lockRelease(), 'lock release'],
  [commands.lockStatus(), 'lock status'],
  [commands.buildPull('v1', hosts), 'build pull --version=v1 --hosts=10.0.0.1,10.0.0.2'],
  [commands.appStop(hosts), 'app stop --hosts=10.0.0.1,10.0.0.2'],
  [commands.appStart('v1', hosts), 'app start --version=v1 --hosts=10.0.0.1,10.0.0.2'],
  [commands.deployVersion('v1', hosts), 'deploy --skip-push --version=v1 --hosts=10.0.0.1,10.0.0.2'],
  [commands.appVersion(hosts), 'app version --quiet'],
  [commands.audit(hosts), 'audit --quiet'],
])('$name has its arguments', ({ args }, line) => {
  expect(args.join(' ')).toBe(line);
});

it('gives every word of a message as one argument', () => {
  const { args } = commands.lockAcquire({ message: '--help $(id) "x"', version: 'v1', hosts });
  expect(args).toContain('--message=--help $(id) "x"');
});

it('asks each host by itself with nothing of the others among its arguments', () => {
  const command = commands.hostByHost((some) => commands.appStart('v1', some), hosts);
  expect(command).toEqual({
    name: 'app start v1 on 10.0.0.1, 10.0.0.2',
    args: ['app', 'start', '--version=v1'],
    each: { hosts, by: 'host' },
  });
});
