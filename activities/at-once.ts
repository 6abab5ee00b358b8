import { Semaphore } from 'async-mutex';

/** The work of each item, `width` of them at a time; the results in the order of the items. */
export const atOnce = async <Item, Result>(
  items: readonly Item[],
  width: number,
  work: (item: Item) => Promise<Result>,
): Promise<Result[]> => {
  const turns = new Semaphore(width);
  return await Promise.all(items.map(async (item) => await turns.runExclusive(async () => await work(item))));
};
