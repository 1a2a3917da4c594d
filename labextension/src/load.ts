/** The script that draws (views.ts), loaded once for a page and only when something is to be drawn. */

export type Views = typeof import('./views');

declare const __webpack_public_path__: string;
/** Changes with the script, so that no browser shows an older one from its cache. */
declare const VIEWS_DIGEST: string;

let loading: Promise<Views> | undefined;

/** What draws views; fails with a sentence for people. */
export function loadViews(): Promise<Views> {
  loading ??= load().catch(problem => {
    // The server may be back at the next try.
    loading = undefined;
    throw problem;
  });
  return loading;
}

function load(): Promise<Views> {
  return new Promise((resolve, reject) => {
    const script = document.createElement('script');
    script.src = `${__webpack_public_path__}views.js?v=${VIEWS_DIGEST}`;
    script.onload = () => resolve((window as unknown as { tracknbViews: Views }).tracknbViews);
    script.onerror = () => {
      script.remove();
      reject(new Error('The Jupyter server did not give the script that draws views of tracknb. Reload the page.'));
    };
    document.head.append(script);
  });
}
