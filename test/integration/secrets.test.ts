import { assert, property, string } from 'fast-check';
import { openCommand } from '../../src/db/commands/commands';
import { eraseExpiredSecrets, hasSecret, saveSecret, takeSecret } from '../../src/db/commands/secrets';
import { sensitive } from '../../src/domain/sensitive';
import { createSecretBox } from '../../src/secret-box';
import { withDatabase } from '../support/database';
import { insertJob } from '../support/job-rows';

const [keyA, keyB] = [sensitive('a1'.repeat(32)), sensitive('b2'.repeat(32))];
const box = createSecretBox({ current: keyA, previous: null });

describe('the box', () => {
  it('gives back whatever was sealed, and shows nothing of it', () => {
    assert(
      property(string({ unit: 'binary', minLength: 8 }), (text) => {
        const sealed = box.seal(text);
        expect(box.open(sealed)).toBe(text);
        expect(sealed.includes(Buffer.from(text, 'utf8'))).toBe(false);
      }),
      { numRuns: 50 },
    );
  });

  it('seals the same text differently each time', () => {
    expect(box.seal('481516').equals(box.seal('481516'))).toBe(false);
  });

  it('notices every changed, missing or added byte', () => {
    const sealed = box.seal('481516');
    for (let index = 0; index < sealed.length; index++) {
      const changed = Buffer.from(sealed);
      changed[index] = (changed[index] ?? 0) ^ 1;
      expect(() => box.open(changed)).toThrow('cannot be opened');
      expect(() => box.open(sealed.subarray(0, index))).toThrow('cannot be opened');
    }
    expect(() => box.open(Buffer.concat([sealed, Buffer.of(0)]))).toThrow('cannot be opened');
  });

  it('opens with the previous key while the key is being changed, and seals with the new one', () => {
    const changing = createSecretBox({ current: keyB, previous: keyA });
    expect(changing.open(box.seal('481516'))).toBe('481516');
    expect(() => box.open(changing.seal('481516'))).toThrow('cannot be opened');
  });
});

describe('its table', () => {
  const database = withDatabase();

  const openResume = async (): Promise<string> => {
    const { jobId } = await insertJob(database.pool, { state: 'waiting_human' });
    const opened = await openCommand(database.pool, { jobId, kind: 'resume', actor: 'ops', source: 'rest', reason: null });
    if (opened === null) throw new Error('no command');
    return opened.command.commandId;
  };

  it('gives a secret once', async () => {
    const commandId = await openResume();
    await saveSecret(database.pool, { commandId, sealed: box.seal('481516'), lifeMs: 60_000 });
    expect(await hasSecret(database.pool, commandId)).toBe(true);
    const taken = await Promise.all(Array.from({ length: 5 }, async () => await takeSecret(database.pool, commandId)));
    expect(taken.filter((sealed) => sealed !== null).map((sealed) => box.open(sealed))).toEqual(['481516']);
    expect(await hasSecret(database.pool, commandId)).toBe(false);
  });

  it('gives none that is too old, and forgets it', async () => {
    const commandId = await openResume();
    await saveSecret(database.pool, { commandId, sealed: box.seal('481516'), lifeMs: -1 });
    expect(await hasSecret(database.pool, commandId)).toBe(false);
    expect(await takeSecret(database.pool, commandId)).toBeNull();
    expect(await eraseExpiredSecrets(database.pool)).toBe(0);
  });

  it('is emptied of what nobody came for, and of nothing else', async () => {
    const [old, young] = [await openResume(), await openResume()];
    await saveSecret(database.pool, { commandId: old, sealed: box.seal('1'), lifeMs: -1 });
    await saveSecret(database.pool, { commandId: young, sealed: box.seal('2'), lifeMs: 60_000 });
    expect(await eraseExpiredSecrets(database.pool)).toBe(1);
    expect(await hasSecret(database.pool, young)).toBe(true);
  });
});
