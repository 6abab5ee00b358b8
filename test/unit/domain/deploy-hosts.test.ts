import { fillerOf, pickFleetHosts, type FleetFacts } from '../../../src/domain/deploy-hosts';

const seen: FleetFacts = { destination: 'staging', registered: [], configured: [], broken: [] };
const here = (host: string) => ({ host, isPresent: true });
const away = (host: string) => ({ host, isPresent: false });
const machine = (ip: string, environment?: string, role: 'ghosthands' | 'atm' = 'ghosthands') => ({ ip, environment, role });

test.each<[string, Partial<FleetFacts>, string[], string[]]>([
  ['are the machines that are there', { registered: [here('10.0.0.2'), here('10.0.0.1')] }, ['10.0.0.1', '10.0.0.2'], []],
  ['are not those that are away, which are named', { registered: [here('10.0.0.1'), away('10.0.0.2')] }, ['10.0.0.1'], ['10.0.0.2']],
  [
    'are those of the configuration, too, wherever they are',
    { registered: [here('10.0.0.1'), away('10.0.0.2')], configured: [machine('10.0.0.2', 'staging'), machine('10.0.0.3', 'staging')] },
    ['10.0.0.1', '10.0.0.2', '10.0.0.3'],
    [],
  ],
  [
    'are none that the configuration has elsewhere',
    {
      registered: [here('10.0.0.1'), here('10.0.0.2'), away('10.0.0.3')],
      configured: [machine('10.0.0.2', 'production'), machine('10.0.0.3', 'production')],
    },
    ['10.0.0.1'],
    [],
  ],
  [
    'are those that it has nowhere, only when they are there',
    { registered: [away('10.0.0.1')], configured: [machine('10.0.0.1')] },
    [],
    ['10.0.0.1'],
  ],
  ['are none of ATM’s own machines', { configured: [machine('10.0.0.9', 'staging', 'atm')] }, [], []],
  ['are those that the last deploy left broken', { registered: [away('10.0.0.2')], broken: ['10.0.0.2'] }, ['10.0.0.2'], []],
])('the hosts of the fleet %s', (_what, more, hosts, leftOut) => {
  expect(pickFleetHosts({ ...seen, ...more })).toEqual({ hosts, leftOut });
});

test('a role without hosts gets the fleet, and what was planned for it once there is a plan', () => {
  expect(fillerOf([], ['10.0.0.1', '10.0.0.2'])('workers')).toEqual(['10.0.0.1', '10.0.0.2']);
  const planned = [
    { host: '10.0.0.1', roles: ['web'] },
    { host: '10.0.0.2', roles: ['workers'] },
  ];
  expect(fillerOf(planned, [])('workers')).toEqual(['10.0.0.2']);
});
