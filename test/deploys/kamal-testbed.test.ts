import { endOf, endOfSilentHost, kamalSequence, playSilentHost, runStep } from '../support/kamal-sequence';
import { withKamalFixture } from '../support/kamal-fixture';

describe('the real Kamal, on the commands that its stand-in is tried on too', () => {
  const made = withKamalFixture();
  beforeAll(async () => {
    await made.testbed.push('bad', { broken: 'exits' });
    await made.testbed.push('wrong', { wrongLabel: true });
  });

  test.each(kamalSequence)('$title', async (step) => {
    expect(await runStep(made.testbed, step)).toEqual(endOf(step));
  });

  test('one host that cannot be reached: the others, in one command with it', async () => {
    expect(await playSilentHost(made.testbed)).toEqual(endOfSilentHost());
  });
});
