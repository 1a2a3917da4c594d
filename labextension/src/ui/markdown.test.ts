// @vitest-environment jsdom
import { expect, it } from 'vitest';
import { markdown, safeLink } from './markdown';

const html = (text: string) => markdown(text).innerHTML;

it('makes headings, paragraphs, lists, quotes, code and rules', () => {
  expect(html('# A *b*\n\nOne\ntwo  \nthree\n\n- x\n- y\n  1. z\n\n> q\n\n```python\na < b\n```\n---')).toBe(
    '<h3>A <em>b</em></h3><p>One\ntwo<br>three</p><ul><li>x</li><li>y<ol><li>z</li></ol></li></ul>' +
      '<blockquote><p>q</p></blockquote><pre>a &lt; b</pre><hr>'
  );
});

it('makes emphasis, code and tables', () => {
  expect(html('**a** __b__ *c* _d_ ~~e~~ `f*g` snake_case_name 2*3*4')).toBe(
    '<p><strong>a</strong> <strong>b</strong> <em>c</em> <em>d</em> <del>e</del> <code>f*g</code> snake_case_name 2<em>3</em>4</p>'
  );
  expect(html('|a|b|\n|-|-|\n|1|<b>|')).toBe(
    '<table><thead><tr><th>a</th><th>b</th></tr></thead><tbody><tr><td>1</td><td>&lt;b&gt;</td></tr></tbody></table>'
  );
});

it('links to web and mail only, and tells them nothing', () => {
  expect(html('[a](https://x.org/y) <mailto:a@b.c> https://z.org.')).toBe(
    '<p><a href="https://x.org/y" rel="noopener noreferrer" target="_blank">a</a> ' +
      '<a href="mailto:a@b.c" rel="noopener noreferrer" target="_blank">mailto:a@b.c</a> ' +
      '<a href="https://z.org" rel="noopener noreferrer" target="_blank">https://z.org</a>.</p>'
  );
  for (const address of [
    'javascript:alert(1)', 'JaVaScRiPt:alert(1)', 'java\nscript:alert(1)', ' javascript:alert(1)', 'data:text/html,x',
    'vbscript:x', '//evil.org', '/lab/api', 'https://x" onclick="y', 'file:///etc/passwd'
  ]) {
    expect(safeLink(address, ['x'])).toBeUndefined();
  }
});

it('runs nothing of a hostile note', () => {
  const notes = [
    '<img src=x onerror=alert(1)>', '<script>alert(1)</script>', '![x](https://evil.org/beacon.png)',
    '[x](javascript:alert(1))', '[x](data:text/html;base64,AAAA)', '<a href="javascript:alert(1)">x</a>',
    '```html\n<script>alert(1)</script>\n```', '|a|b|\n|-|-|\n|<svg onload=alert(1)>|y|', '- <iframe src=x>',
    '# <button data-commandlinker-command="x">y</button>', '[![i](https://e/x.png)](javascript:alert(1))',
    '<https://a.b" onmouseover="alert(1)>'
  ];
  for (const note of notes) {
    const element = markdown(note);
    expect(element.querySelector('img,script,svg,iframe,button,form,style,object,embed,link')).toBeNull();
    for (const each of element.querySelectorAll('*')) {
      expect(each.getAttributeNames().filter(name => !['href', 'rel', 'target', 'class', 'start'].includes(name))).toEqual([]);
      expect(each.getAttribute('href') ?? 'https://').toMatch(/^(https?:\/\/|mailto:)/);
    }
  }
});

it('does not take long, whatever the note', () => {
  const begin = performance.now();
  for (const piece of ['*', '_a', '[', '`', '**a ', '![', '](', '> ', '- ', '<', 'https://', '|', '*a_b', '  - a\n', '>'.repeat(50) + '\n']) {
    markdown(piece.repeat(Math.ceil(8_000 / piece.length)));
  }
  expect(performance.now() - begin).toBeLessThan(4_000);
});

it('does not take long over one line of a notebook that is a file', () => {
  const begin = performance.now();
  markdown(`a|b\n-${' '.repeat(200_000)}x`);
  markdown(`https://a${')'.repeat(200_000)}x`);
  expect(performance.now() - begin).toBeLessThan(2_000);
});
