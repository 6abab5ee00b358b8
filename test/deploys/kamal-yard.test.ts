import { endOf, kamalSequence, runStep } from '../support/kamal-sequence';
import { withKamalYard } from '../support/kamal-yard';

describe('the real Kamal, on the commands that its stand-in is tried on too', () => {
  const made = withKamalYard();
  beforeAll(async () => {
    await made.yard.push('bad', { broken: 'exits' });
    await made.yard.push('wrong', { wrongLabel: true });
  });

  test.each(kamalSequence)('$title', async (step) => {
    expect(await runStep(made.yard, step)).toEqual(endOf(step));
  });
});
