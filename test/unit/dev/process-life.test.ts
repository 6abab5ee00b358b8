import { setTimeout as delay } from 'node:timers/promises';
import { ProcessLife } from '../../../dev/gh/process-life';

describe('a simulated process', () => {
  it('runs neither catch nor finally after it was killed', async () => {
    const life = new ProcessLife();
    const seen: string[] = [];
    const work = async (): Promise<void> => {
      try {
        await life.run(delay(5).then(() => Promise.reject(new Error('connection lost'))));
      } catch {
        seen.push('catch');
      } finally {
        seen.push('finally');
      }
    };
    void work();
    void life.sleep(5).then(() => seen.push('slept'));
    life.after(5, () => seen.push('timer'));
    life.end();
    await delay(20);
    expect(seen).toEqual([]);
  });

  it('goes on where it was when it is thawed', async () => {
    const life = new ProcessLife();
    const seen: string[] = [];
    void life.sleep(1).then(() => seen.push('slept'));
    life.freeze();
    await delay(20);
    expect(seen).toEqual([]);
    life.thaw();
    await delay(1);
    expect(seen).toEqual(['slept']);
    life.end();
  });

  it('tells its ending once', () => {
    const life = new ProcessLife();
    let endings = 0;
    life.onEnd(() => endings++);
    life.end();
    life.end();
    expect(endings).toBe(1);
  });
});
