import { judgeAdoption, type AdoptableRow } from '../../../src/domain/adoption';

const row: AdoptableRow = {
  jobId: 'job-1',
  jobType: 'apply',
  targetUrl: 'https://jobs.test/1',
  timeoutSeconds: 300,
  priority: 5,
  inputKind: 'object',
  callbackUrl: null,
};

test.each<[string, Partial<AdoptableRow>]>([
  ['job_type', { jobType: 'smart_apply' }],
  ['target_url', { targetUrl: 'file:///etc/passwd' }],
  ['target_url', { targetUrl: '' }],
  ['target_url', { targetUrl: `https://jobs.test/${'x'.repeat(3_000)}` }],
  ['timeout_seconds', { timeoutSeconds: 0 }],
  ['timeout_seconds', { timeoutSeconds: 100_000 }],
  ['priority', { priority: 11 }],
  ['input_data', { inputKind: 'array' }],
  ['callback_url', { callbackUrl: 'javascript:alert(1)' }],
])('a row whose %s breaks our limits is named by it: %j', (field, more) => {
  expect(judgeAdoption({ ...row, ...more })).toEqual({ problem: expect.stringMatching(new RegExp(`^${field}: `)) });
});

test('a row of VALET is taken over, and the secret in its callback address is not', () => {
  expect(judgeAdoption({ ...row, callbackUrl: 'https://product.test/hook?task=1&token=s3cret' })).toEqual({
    adopt: { jobId: 'job-1', callbackUrl: 'https://product.test/hook?task=1' },
  });
});
