// Bundle what draws; the same sources always give the same bytes. Run with `views`, before
// JupyterLab's builder, whose bundle knows the digest of the script, or with `place` after it.
import { build } from 'esbuild';
import { copyFile, mkdir, readFile, stat, writeFile } from 'node:fs/promises';

const VIEWS = 'dist/views.js';
const LABEXTENSION = '../tracknb/labextension/static';

const common = {
  bundle: true,
  minify: true,
  target: 'es2022',
  charset: 'utf8',
  legalComments: 'none',
  // esbuild leaves texts alone, and our style sheets are texts.
  plugins: [{ name: 'styles', setup: builder => builder.onLoad({ filter: /src[\\/]ui[\\/]\w+\.ts$/ }, withSmallStyles) }]
};

async function withSmallStyles({ path }) {
  const source = await readFile(path, 'utf8');
  const contents = source.replace(/(_?CSS = `)([^`]*)`/g, (_, head, css) => `${head}${smaller(css)}\``);
  return { contents, loader: 'ts' };
}

const smaller = css => css
  .replace(/\/\*.*?\*\//gs, '')
  .replace(/\s+/g, ' ')
  .replace(/ ?([{};,]) ?/g, '$1')
  .replace(/: /g, ':')
  .replace(/;}/g, '}')
  .trim();

const licence = (await readFile('node_modules/uplot/LICENSE', 'utf8')).trim();

async function bundle(outfile, options, limit) {
  await build({ ...common, ...options, outfile, banner: { js: `/* tracknb; contains uPlot:\n${licence}\n*/` } });
  const { size } = await stat(outfile);
  if (size > limit * 1024) {
    throw new Error(`${outfile} is ${size} bytes, more than ${limit} KB`);
  }
  console.log(`${outfile} ${(size / 1024).toFixed(1)} KB`);
}

if (process.argv[2] === 'place') {
  await mkdir(LABEXTENSION, { recursive: true });
  await copyFile(VIEWS, `${LABEXTENSION}/views.js`);
} else {
  // uPlot's styles are wanted as text: the extension bundle has no CSS loader that gives one.
  const css = (await readFile('node_modules/uplot/dist/uPlot.min.css', 'utf8')).trim();
  await writeFile(
    'src/ui/uplotCss.ts',
    `/** uPlot's style sheet (MIT); written by the build. */\nexport const UPLOT_CSS =\n  ${JSON.stringify(css)};\n`
  );
  await bundle('../tracknb/notebook/static/widget.js', { entryPoints: ['src/widget.ts'], format: 'esm' }, 120);
  await bundle(VIEWS, { entryPoints: ['src/views.ts'], format: 'iife', globalName: 'tracknbViews' }, 290);
}
