// @vitest-environment jsdom
import { expect, it, vi } from 'vitest';
import { outputsOf, outputsView } from './outputs';
import type { Answer, FileJson, Host, Question } from './types';

const file = (path: string, size = 10): FileJson => ({ path, dir: false, size });

/** A kernel that knows texts by path, and is asked for them. */
function kernel(texts: Record<string, Partial<Answer>>): { host: Host; asked: Question[] } {
  const asked: Question[] = [];
  const ask = (question: Question) => {
    asked.push(question);
    const found = texts[String(question.path)];
    return found ? Promise.resolve({ buffers: [], ...found } as Answer) : Promise.reject(new Error('It is gone.'));
  };
  return { host: { ask }, asked };
}

it('knows the outputs among the files of a run, in the order in which they came', () => {
  const entries = ['outputs/10.png', 'outputs/2.html', 'outputs/2.vegalite.json', 'outputs/mine.txt', 'a/outputs/1.png', 'notes.txt'];
  const folder = { path: 'outputs/3.png', dir: true, size: null };
  expect(outputsOf([...entries.map(path => file(path)), folder]).map(entry => entry.path)).toEqual([
    'outputs/2.html',
    'outputs/2.vegalite.json',
    'outputs/10.png'
  ]);
});

it('shows pictures, tables and texts at once, and charts as what they are', async () => {
  const { host, asked } = kernel({
    'outputs/1.svg': { kind: 'image', mime: 'image/svg+xml', buffers: [new DataView(new TextEncoder().encode('<svg/>').buffer)] },
    'outputs/2.html': { kind: 'html', text: '<table><tr></tr><tr></tr><tr></tr></table><script>parent.alert(1)</script>' },
    'outputs/3.txt': { kind: 'text', text: '<img src=x>' }
  });
  const counts: number[] = [];
  const paths = ['outputs/1.svg', 'outputs/2.html', 'outputs/3.txt', 'outputs/4.plotly.json', 'outputs/5.png'];
  const view = outputsView('r', paths.map(path => file(path)), host, count => counts.push(count));
  await vi.waitFor(() => expect(view.element.textContent).toContain('It is gone.'));

  const figures = [...view.element.querySelectorAll('figure')];
  expect(figures.map(figure => figure.querySelector('figcaption')!.textContent)).toEqual([
    '1.svg, 10 B', '2.html, 10 B', '3.txt, 10 B', '4.plotly.json, 10 B', '5.png, 10 B'
  ]);
  expect(figures[0].querySelector('img')!.src).toBe('data:image/svg+xml,%3Csvg%2F%3E');
  const frame = figures[1].querySelector('iframe')!;
  expect(frame.getAttribute('sandbox')).toBe('');
  expect(frame.srcdoc).not.toContain('<script');
  expect(frame.style.height).toBe('94px');
  expect(figures[2].querySelector('pre')!.textContent).toBe('<img src=x>');
  expect(figures[3].textContent).toContain('A chart, kept as data.');
  expect(asked.map(question => question.path)).not.toContain('outputs/4.plotly.json');
  expect(counts).toEqual([5]);
  view.destroy();
});

it('shows the first dozen, and the rest when asked for', async () => {
  const paths = Array.from({ length: 15 }, (_, i) => `outputs/${i + 1}.txt`);
  const { host } = kernel(Object.fromEntries(paths.map(path => [path, { kind: 'text', text: path }])));
  const view = outputsView('r', paths.map(path => file(path)), host, () => undefined);
  const more = view.element.querySelector('button')!;
  expect(view.element.querySelectorAll('figure').length).toBe(12);
  expect(more.textContent).toBe('Show 3 more outputs');

  more.click();

  expect(view.element.querySelectorAll('figure').length).toBe(15);
  expect(more.hidden).toBe(true);
  view.destroy();
});

it('asks where the files were not listed, and says where they are without a kernel', async () => {
  const entries = [file('outputs/1.txt')];
  const { host, asked } = kernel({ outputs: { entries }, 'outputs/1.txt': { kind: 'text', text: 'kept' } });
  const view = outputsView('r', null, host, () => undefined);
  await vi.waitFor(() => expect(view.element.textContent).toContain('kept'));
  expect(asked[0]).toEqual({ ask: 'files', id: 'r', path: 'outputs' });
  view.destroy();

  const alone = outputsView('r', entries, {}, () => undefined);
  expect(alone.element.textContent).toContain('1 output, shown where a kernel runs.');
  alone.destroy();
});
