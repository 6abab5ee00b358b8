import { isLockOf, makeLockMessage, parseLockMessage } from '../../../src/domain/deploy-lock';

const ours = {
  installation: 'yard-1.example',
  workflowId: 'kamal-deploy-ghosthands-staging',
  deployId: '6f1d2c3b-4a59-4e87-9c0d-1b2a3c4d5e6f',
};

test('the message of our lock tells whose it is', () => {
  expect(parseLockMessage(makeLockMessage(ours))).toEqual(ours);
  expect(parseLockMessage(` ${makeLockMessage(ours)}\n`)).toEqual(ours);
});

test.each([
  'Automatic deploy lock',
  '',
  'freeze until Monday',
  'yard/kamal-deploy-ghosthands-staging/not-an-id',
  `yard/apply-job-x/${ours.deployId}`,
  `a/b/${makeLockMessage(ours)}`,
])('the words of somebody else are not taken for ours: %s', (message) => {
  expect(parseLockMessage(message)).toBeNull();
});

test.each<[isOurs: boolean, what: string, lockAt: string | null, message: string, at: string | null]>([
  [true, 'it has our words and our moment', 'T1', makeLockMessage(ours), 'T1'],
  [true, 'its moment is not known yet', null, makeLockMessage(ours), 'T1'],
  [false, 'somebody wrote our words anew', 'T1', makeLockMessage(ours), 'T2'],
  [false, 'it names another deploy', 'T1', makeLockMessage({ ...ours, deployId: ours.deployId.replace('6f', '7f') }), 'T1'],
  [false, 'it is a person’s, of the same second', 'T1', 'an urgent fix', 'T1'],
])('a lock is the deploy’s: %p, when %s', (isOurs, _what, lockAt, message, at) => {
  expect(isLockOf({ deployId: ours.deployId, lockAt }, { message, at })).toBe(isOurs);
});
