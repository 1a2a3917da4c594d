import { expect, test } from 'vitest';
import { Feed, type Delta } from './feed';

function fed(...deltas: Delta<number>[]): { feed: Feed<number>; asked: string[] } {
  const asked: string[] = [];
  const feed = new Feed<number>(async since => {
    asked.push(since);
    return deltas.shift()!;
  });
  return { feed, asked };
}

test('changes are added to what is here, and each look names the last revision', async () => {
  const { feed, asked } = fed(
    { revision: 'a', whole: true, rows: { one: 1, two: 2 }, gone: [], more: true, experiments: ['taxi'] },
    { revision: 'a' },
    { revision: 'b', whole: false, rows: { two: 3, three: 4 }, gone: ['one'], more: false, experiments: ['taxi'] }
  );
  expect(feed.loaded).toBe(false);
  expect(await feed.refresh()).toBe(true);
  expect([feed.loaded, feed.more, feed.experiments]).toEqual([true, true, ['taxi']]);
  expect(await feed.refresh()).toBe(false);
  expect(await feed.refresh()).toBe(true);
  expect([...feed.rows]).toEqual([['two', 3], ['three', 4]]);
  expect(feed.more).toBe(false);
  expect(asked).toEqual(['', 'a', 'a']);
});

test('a server that has forgotten the revision gives all, and nothing of the past stays', async () => {
  const { feed } = fed({ revision: 'a', whole: true, rows: { one: 1 } }, { revision: 'c', whole: true, rows: { two: 2 } });
  await feed.refresh();
  await feed.refresh();
  expect([...feed.rows.keys()]).toEqual(['two']);
});

test('an answer to a question that was overtaken is passed over', async () => {
  const answers: ((delta: Delta<number>) => void)[] = [];
  const feed = new Feed<number>(() => new Promise(resolve => answers.push(resolve)));
  const [first, second] = [feed.refresh(), feed.refresh()];
  answers[1]({ revision: 'b', whole: true, rows: { two: 2 } });
  await second;
  answers[0]({ revision: 'a', whole: true, rows: { one: 1 } });
  expect(await first).toBe(false);
  expect([...feed.rows.keys()]).toEqual(['two']);
});

test('what was here stays when the server fails', async () => {
  const deltas: (Delta<number> | Error)[] = [{ revision: 'a', whole: true, rows: { one: 1 } }, new Error('gone')];
  const feed = new Feed<number>(async () => {
    const next = deltas.shift()!;
    if (next instanceof Error) {
      throw next;
    }
    return next;
  });
  await feed.refresh();
  await expect(feed.refresh()).rejects.toThrow('gone');
  expect([...feed.rows.keys()]).toEqual(['one']);
});
