import { behaviourNames, parseBehaviour } from '../../../dev/gh/behaviours';
import { classifyError, messageFor } from '../../../dev/gh/gh-errors';

describe('the behaviour that a target URL asks for', () => {
  it('is the quick one for an unknown path, another host or no URL at all', () => {
    for (const url of ['https://sim.test/unheard-of', 'https://sim.test', 'https://example.com/review', 'not a url']) {
      expect(parseBehaviour(url)).toMatchObject({ name: 'quick', end: 'submitted', failure: null });
    }
  });

  it('takes no name from the prototype of an object', () => {
    expect(parseBehaviour('https://sim.test/constructor').name).toBe('quick');
  });

  it('leaves the rest of the path to the posting', () => {
    expect(parseBehaviour('https://sim.test/review/acme/4711')).toMatchObject({ name: 'review', end: 'review' });
  });

  it('fails the first attempt only, where nothing else is said', () => {
    expect(parseBehaviour('https://sim.test/fails-before-form').failure).toEqual({ at: 'start', code: 'network_error', times: 1 });
    expect(parseBehaviour('https://sim.test/fails-before-form?times=3&code=timeout').failure).toEqual({
      at: 'start',
      code: 'timeout',
      times: 3,
    });
  });

  it('combines callback faults and times with every path', () => {
    const callbacks = { lost: ['running', 'completed'], repeat: 2, reorder: true, delayMs: 50, delayed: ['failed'] };
    for (const name of behaviourNames) {
      const url = `https://sim.test/${name}?lost=running,completed&repeat=2&reorder=1&delayMs=50&delayed=failed&startMs=7`;
      expect(parseBehaviour(url)).toMatchObject({ name, callbacks, startMs: 7 });
    }
  });

  it('ignores numbers that are none', () => {
    expect(parseBehaviour('https://sim.test/quick?ms=soon&repeat=-1')).toMatchObject({ workMs: null, callbacks: { repeat: 0 } });
  });
});

describe("GH's classification of an error", () => {
  it.each([
    'budget_exceeded',
    'action_limit_exceeded',
    'captcha_blocked',
    '2fa_required',
    'login_required',
    'timeout',
    'rate_limited',
    'element_not_found',
    'network_error',
    'browser_crashed',
    'internal_error',
  ])('gives %s for the message that stands for it', (code) => {
    expect(classifyError(messageFor(code))).toBe(code);
  });

  it('does not take "timed out" for a timeout', () => {
    expect(classifyError('The action timed out')).toBe('internal_error');
  });
});
