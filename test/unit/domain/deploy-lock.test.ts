import { makeLockMessage, parseLockMessage } from '../../../src/domain/deploy-lock';

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
