import { readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

/**
 * Several views stand in one page, and each brings its style sheet: a class that two of them
 * use for different things looks like whichever came last. So a class belongs to one file,
 * and to its parts: who uses it imports that file or is imported by it. What is in theme.ts
 * is everybody's.
 */
const COMMON = 'theme';

interface Sheet {
  source: string;
  selectors: string[];
}

function sheets(): Map<string, Sheet> {
  const files = readdirSync('src/ui').filter(name => name.endsWith('.ts') && !/\.(test|fixture)\.ts$|^uplotCss/.test(name));
  return new Map(
    files.map(name => {
      const source = readFileSync(`src/ui/${name}`, 'utf8');
      const rules = [...source.matchAll(/const \w*CSS = `([\s\S]*?)`;/g)].map(found =>
        found[1].replace(/\/\*[\s\S]*?\*\//g, '').replace(/\$\{\w+\}/g, '')
      );
      const selectors = rules.flatMap(css => [...css.matchAll(/([^{}]+)\{/g)].flatMap(found => found[1].split(',')));
      return [name.slice(0, -3), { source, selectors: selectors.map(text => text.trim()) }];
    })
  );
}

const classes = (text: string): string[] => text.match(/(?<![-\w])tnb-[\w-]+/g) ?? [];

/** The files whose rules begin with a class, by class: `.tnb-page summary` is a rule of `tnb-page`. */
function owners(all: Map<string, Sheet>): Map<string, Set<string>> {
  const found = new Map<string, Set<string>>();
  for (const [file, { selectors }] of all) {
    for (const selector of selectors) {
      const [first] = classes(selector);
      if (first) {
        found.set(first, (found.get(first) ?? new Set()).add(file));
      }
    }
  }
  return found;
}

it('gives a class to one style sheet', () => {
  const all = sheets();
  const bare = (file: string, name: string) => all.get(file)!.selectors.includes(`.tracknb-view .${name}`);
  const shared = [...owners(all)].flatMap(([name, files]) => {
    const own = [...files].filter(file => file !== COMMON);
    const isRedefined = files.has(COMMON) && bare(COMMON, name) && own.some(file => bare(file, name));
    return (own.length > 1 && !files.has(COMMON)) || isRedefined ? [`${name}: ${[...files].join(', ')}`] : [];
  });

  expect(owners(all).size).toBeGreaterThan(100);
  expect(shared).toEqual([]);
});

it('uses the class of another file only where one of the two imports the other', () => {
  const all = sheets();
  const strangers: string[] = [];
  for (const [name, files] of owners(all)) {
    for (const [file, { source }] of all) {
      const isPart = (owner: string) => source.includes(`from './${owner}'`) || all.get(owner)!.source.includes(`from './${file}'`);
      if (!files.has(COMMON) && !files.has(file) && ![...files].some(isPart) && classes(source.replace(/^import .*$/gm, '')).includes(name)) {
        strangers.push(`${file} uses ${name} of ${[...files].join(', ')}`);
      }
    }
  }

  expect(strangers).toEqual([]);
});
