// Bundle the widget to one file; the same sources always give the same bytes.
import { build } from 'esbuild';
import { readFile, writeFile, mkdir } from 'node:fs/promises';

// uPlot's styles are wanted as text: the extension bundle has no CSS loader that gives one.
const css = (await readFile('node_modules/uplot/dist/uPlot.min.css', 'utf8')).trim();
await writeFile(
  'src/ui/uplotCss.ts',
  `/** uPlot's style sheet (MIT); written by the build. */\nexport const UPLOT_CSS =\n  ${JSON.stringify(css)};\n`
);

const target = '../tracknb/notebook/static';
await mkdir(target, { recursive: true });
const result = await build({
  entryPoints: ['src/widget.ts'],
  outfile: `${target}/widget.js`,
  bundle: true,
  format: 'esm',
  minify: true,
  target: 'es2020',
  charset: 'utf8',
  legalComments: 'none',
  metafile: true,
  banner: { js: '/* tracknb widget; contains uPlot (MIT licence, Leon Sorokin) */' }
});
const bytes = Object.values(result.metafile.outputs)[0].bytes;
if (bytes > 120 * 1024) {
  throw new Error(`widget.js is ${bytes} bytes, more than 120 KB`);
}
console.log(`widget.js ${(bytes / 1024).toFixed(1)} KB`);
