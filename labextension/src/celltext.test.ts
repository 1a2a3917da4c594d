import { expect, test } from 'vitest';
import { digest, experimentOf, isSameCode, loads, pathBelow, tracked } from './celltext';

test('a notebook is found below the folder that the server shows', () => {
  expect(pathBelow('/home/ada/work', '/home/ada/work/a/b.ipynb')).toBe('a/b.ipynb');
  expect(pathBelow('~/work/', '~/work/b.ipynb')).toBe('b.ipynb');
  expect(pathBelow('/home/ada/work', '/home/ada/workshop/b.ipynb')).toBeUndefined();
  expect(pathBelow('', 'notebook')).toBeUndefined();
});

test('only what a reader would see makes code another', () => {
  expect(isSameCode('a = 1  \nb = 2\n\n', 'a = 1\r\nb = 2')).toBe(true);
  expect(isSameCode('if a:\n  b', 'if a:\n    b')).toBe(false);
});

test('an experiment is called as its notebook', () => {
  expect(experimentOf('a/nyc-taxi.ipynb')).toBe('nyc-taxi');
  expect(experimentOf('Ada\'s "best" try.ipynb')).toBe('"Adas best try"');
  expect(experimentOf('.ipynb')).toBe('"experiment"');
});

test('the line goes on top, unless a cell magic is there', () => {
  expect(tracked('fit()\n', 'x.ipynb')).toBe('%%track_run --experiment x\nfit()\n');
  expect(tracked('', 'x.ipynb')).toBe('%%track_run --experiment x\n');
  expect(tracked('\n%%time\nfit()', 'x.ipynb')).toBeUndefined();
});

test('what loads the extension is recognised', () => {
  expect(loads(['a = 1', '%load_ext tracknb'])).toBe(true);
  expect(loads(['a = 1\n  %reload_ext tracknb'])).toBe(true);
  expect(loads(['import tracknb as mlflow'])).toBe(true);
  expect(loads(['%load_ext tracknb2', '# %load_ext tracknb'])).toBe(false);
});

test('a digest is the one that the kernel makes, and passes over how lines end', () => {
  expect(digest('lr = 0.1')).toBe(420253990);
  expect(digest('lr = 0.1  \r\n\n')).toBe(digest('lr = 0.1'));
  expect(digest('größe = 1')).not.toBe(digest('grosse = 1'));
});
