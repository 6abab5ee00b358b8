import { assert, oneof, property, string } from 'fast-check';
import { findTemplateProblem, makeRecycleCommand } from '../../../src/domain/recycle-command';

const template = ['docker', '-H', 'ssh://{host}', 'restart', '-t', '0', 'ghosthands-{workerId}'];
const target = { host: '10.0.0.7', workerId: 'worker-eu-1732', instanceId: 'i-0abc' };

it('puts each value into the argument that names it', () => {
  expect(makeRecycleCommand(template, target)).toEqual({
    kind: 'command',
    command: ['docker', '-H', 'ssh://10.0.0.7', 'restart', '-t', '0', 'ghosthands-worker-eu-1732'],
  });
  expect(makeRecycleCommand(['aws', '{instanceId}', '{instanceId}{host}'], target)).toEqual({
    kind: 'command',
    command: ['aws', 'i-0abc', 'i-0abc10.0.0.7'],
  });
});

it.each(['10.0.0.7', 'gh-1.fleet.internal', 'localhost', 'fd00::7', '::1'])('takes the host %s', (host) => {
  expect(makeRecycleCommand(['x', '{host}'], { ...target, host })).toEqual({ kind: 'command', command: ['x', host] });
});

it.each([
  '',
  '-oProxyCommand=x',
  'a b',
  'a"b',
  "a'b",
  'a;b',
  '$(a)',
  'a/b',
  'user@host',
  'host:22',
  'a\nb',
  'a\0b',
  'hôte',
  '{workerId}',
  'a.',
  'x'.repeat(254),
])('refuses the host %j', (host) => {
  expect(makeRecycleCommand(['x', '{host}'], { ...target, host })).toEqual({
    kind: 'refused',
    problem: '{host} is no plain value, so it becomes no argument',
  });
});

it('makes no argument of a value that is not plain, whatever it is', () => {
  assert(
    property(oneof(string(), string({ unit: 'binary' })), (workerId) => {
      const made = makeRecycleCommand(['x', '{workerId}'], { ...target, workerId });
      expect(made.kind === 'refused' || /^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(made.command[1] ?? '')).toBe(true);
    }),
  );
});

it('refuses what the registry does not say, and only where the command needs it', () => {
  const unknown = { ...target, instanceId: null };
  expect(makeRecycleCommand(['x', '{instanceId}'], unknown)).toEqual({
    kind: 'refused',
    problem: 'the command needs {instanceId}, which the registry does not say',
  });
  expect(makeRecycleCommand(template, unknown).kind).toBe('command');
});

it.each([
  [[], 'needs a program as its first argument'],
  [['', '{host}'], 'needs a program as its first argument'],
  [['{host}'], 'must name its program without a placeholder'],
  [['x', '{worker_id}'], 'has the unknown placeholder {worker_id}'],
  [['x', 'a\0b', '{host}'], 'must not have a NUL character'],
  [['docker', 'restart', 'ghosthands-worker'], 'must say with {host}, {workerId} or {instanceId} which worker is meant'],
])('finds what is wrong with the command %j', (command, problem) => {
  expect(findTemplateProblem(command)).toBe(problem);
});

it('finds nothing wrong with a command that says which worker is meant, and leaves other braces alone', () => {
  expect(findTemplateProblem(template)).toBeNull();
  expect(findTemplateProblem(['docker', 'inspect', '--format', '{{.State.Status}}', '{workerId}'])).toBeNull();
});
