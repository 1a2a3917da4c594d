// @vitest-environment jsdom
import { expect, it, vi } from 'vitest';
import { h } from './dom';
import { withPages } from './pages';
import type { Answer, Host, View } from './types';

/** Pages over a first view, whose answers come when they are let. */
function setUp() {
  const answers: (() => void)[] = [];
  const destroyed = vi.fn();
  let host: Host = {};
  const ask = () => new Promise<Answer>(resolve => answers.push(() => resolve({ buffers: [] })));
  const first = (own: Host): View => {
    host = own;
    return { element: h('div', {}, 'first'), destroy() {} };
  };
  const view = withPages({ ask }, first, () => ({ element: h('div', { class: 'page' }, h('input', { type: 'search' })), destroy: destroyed }));
  document.body.replaceChildren(view.element);
  const pages = () => view.element.querySelectorAll('.page').length;
  return { view, open: () => host.open!({ page: 'run', id: 'a' }), answers, destroyed, pages };
}

it('opens a page once, however often its link is clicked while it loads', async () => {
  const { open, answers, pages } = setUp();
  open();
  open();

  expect(answers.length).toBe(1);
  answers[0]();
  await vi.waitFor(() => expect(pages()).toBe(1));
});

it('ends a page that comes after its view was closed', async () => {
  const { view, open, answers, destroyed, pages } = setUp();
  open();
  view.destroy();
  answers[0]();

  await vi.waitFor(() => expect(destroyed).toHaveBeenCalledTimes(1));
  expect(pages()).toBe(0);
});

it('leaves a page by Escape, but not where that clears a search field', async () => {
  const { view, open, answers, pages } = setUp();
  open();
  answers[0]();
  await vi.waitFor(() => expect(pages()).toBe(1));
  const field = view.element.querySelector('input')!;
  const escape = () => field.dispatchEvent(new KeyboardEvent('keydown', { key: 'Escape', bubbles: true, cancelable: true }));

  field.value = 'rmse';
  escape();
  expect(pages()).toBe(1);
  field.value = '';
  escape();
  expect(pages()).toBe(0);
});
