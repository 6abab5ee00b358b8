import { until } from '../../support/until';

test('answers the first truthy answer, through errors before it', async () => {
  let asked = 0;
  const answer = await until(
    () => {
      asked += 1;
      if (asked === 1) throw new Error('not there yet');
      return asked === 3 && 'here';
    },
    { what: 'it is there', everyMs: 1 },
  );
  expect(answer).toBe('here');
});

test('says what it waited for and what it saw last', async () => {
  const wait = until(() => Promise.reject(new Error('connection refused')), { what: 'the server answers', timeoutMs: 20, everyMs: 5 });
  await expect(wait).rejects.toThrow('Waited 20 ms in vain until the server answers; the last answer was: connection refused');
});
