import { sensitive } from '../../../src/domain/sensitive';
import { SecretUnreadableError } from '../../../src/kamal/find-secret';
import { makeSecretLine, makeSecretsFile } from '../../../src/kamal/secrets';

describe('a value', () => {
  it.each([
    ['plain', "A='plain'\n"],
    ['$HOME and $(id) and `id`', "A='$HOME and $(id) and `id`'\n"],
    ['two\nlines', "A='two\nlines'\n"],
    ['back\\slash "quoted" #', 'A=\'back\\slash "quoted" #\'\n'],
    ["it's $HOME", 'A="it\'s \\$HOME"\n'],
    ['\'"\\', null],
    ["'\\n", 'A="\'\\\\n"\n'],
    ['ends in \\', null],
    ["it's $(id)", null],
    ['carriage\rreturn', null],
    ['nul\0', null],
  ])('%j is written so that Kamal reads the same, or not at all', (value, line) => {
    expect(makeSecretLine('A', sensitive(value))).toBe(line);
  });
});

it('lists all that is missing and all that cannot be written, by name alone', () => {
  const values: Record<string, string> = { A: 'fine-value', B: '', D: 'secret-that-ends\\' };
  const file = makeSecretsFile(['A', 'B', 'C', 'D'], (name) => (values[name] === undefined ? null : sensitive(values[name])));
  expect(file.problems).toHaveLength(2);
  expect(file.problems[0]).toBe('missing: B, C');
  expect(file.problems[1]).toMatch(/^D cannot be written for Kamal/);
  expect(file.problems.join('')).not.toContain('secret-that-ends');
});

it('lists what cannot be read beside what is missing', () => {
  const file = makeSecretsFile(['A', 'B'], (name) => {
    if (name === 'A') throw new SecretUnreadableError('/secrets/A cannot be read: EACCES');
    return null;
  });
  expect(file.problems).toEqual(['/secrets/A cannot be read: EACCES', 'missing: B']);
});
