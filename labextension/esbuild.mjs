// Bundle the widget to one file; the same sources always give the same bytes.
import { build } from 'esbuild';
import { readFile, writeFile, mkdir } from 'node:fs/promises';

// uPlot's styles are wanted as text: the extension bundle has no CSS loader that gives one.
const css = (await readFile('node_modules/uplot/dist/uPlot.min.css', 'utf8')).trim();
await writeFile(
  'src/ui/uplotCss.ts',
  `/** uPlot's style sheet (MIT); written by the build. */\nexport const UPLOT_CSS =\n  ${JSON.stringify(css)};\n`
);

const common = {
  bundle: true,
  minify: true,
  target: 'es2020',
  charset: 'utf8',
  legalComments: 'none',
  metafile: true
};

async function bundle(name, folder, options, limit) {
  await mkdir(folder, { recursive: true });
  const result = await build({
    ...common,
    ...options,
    outfile: `${folder}/${name}.js`,
    banner: { js: `/* tracknb ${name}; contains uPlot (MIT licence, Leon Sorokin) */` }
  });
  const bytes = Object.values(result.metafile.outputs)[0].bytes;
  if (bytes > limit * 1024) {
    throw new Error(`${name}.js is ${bytes} bytes, more than ${limit} KB`);
  }
  console.log(`${name}.js ${(bytes / 1024).toFixed(1)} KB`);
}

await bundle('widget', '../tracknb/notebook/static', { entryPoints: ['src/widget.ts'], format: 'esm' }, 120);
// Stands inside saved pages, so it is one script that needs no module.
await bundle('standalone', '../tracknb/view/static', { entryPoints: ['src/standalone.ts'], format: 'iife' }, 300);
