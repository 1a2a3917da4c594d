/** Colours and styles: at home in JupyterLab, plain elsewhere. */

import { UPLOT_CSS } from './uplotCss';

/** Colours of runs; colour-blind readers can tell them apart. Python has the same list. */
export const PALETTE = [
  '#4477AA', '#EE6677', '#228833', '#CCBB44', '#66CCEE', '#AA3377', '#EE7733', '#009988', '#BB5566', '#777777'
];

export function runColor(index: number): string {
  return PALETTE[((index % PALETTE.length) + PALETTE.length) % PALETTE.length];
}

const LIGHT = {
  bg: '#ffffff', bg2: '#f5f5f5', line: '#e0e0e0', line2: '#bdbdbd', fg: '#212121', fg2: '#616161',
  accent: '#1565c0', soft: '#e3f2fd', ok: '#2e7d32', bad: '#c62828', busy: '#1565c0'
};
const DARK = {
  bg: '#111111', bg2: '#1e1e1e', line: '#383838', line2: '#616161', fg: '#e8e8e8', fg2: '#b0b0b0',
  accent: '#64b5f6', soft: '#15324b', ok: '#81c784', bad: '#ef9a9a', busy: '#64b5f6'
};

const variables = (c: typeof LIGHT): string => `
  --tnb-bg: var(--jp-layout-color1, var(--vscode-editor-background, ${c.bg}));
  --tnb-bg2: var(--jp-layout-color2, var(--vscode-editorWidget-background, ${c.bg2}));
  --tnb-line: var(--jp-border-color2, var(--vscode-panel-border, ${c.line}));
  --tnb-line2: var(--jp-border-color1, var(--vscode-panel-border, ${c.line2}));
  --tnb-fg: var(--jp-ui-font-color1, var(--vscode-editor-foreground, ${c.fg}));
  --tnb-fg2: var(--jp-ui-font-color2, var(--vscode-descriptionForeground, ${c.fg2}));
`;
const own = (c: typeof LIGHT): string =>
  `--tnb-accent: ${c.accent}; --tnb-soft: ${c.soft}; --tnb-ok: ${c.ok}; --tnb-bad: ${c.bad}; --tnb-busy: ${c.busy};`;

const CSS = `
.tracknb-view { ${variables(LIGHT)} ${own(LIGHT)}
  box-sizing: border-box; width: 100%; max-width: 100%; padding: 4px; background: var(--tnb-bg); color: var(--tnb-fg);
  font-family: var(--jp-ui-font-family, system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif);
  font-size: var(--jp-ui-font-size1, 13px); line-height: 20px; }
.tracknb-view.tnb-dark { ${variables(DARK)} ${own(DARK)} color-scheme: dark; }
.tracknb-view *, .tracknb-view *::before { box-sizing: border-box; }
.tracknb-view button, .tracknb-view input, .tracknb-view select { font: inherit; color: inherit; }
.tracknb-view button, .tracknb-view select, .tracknb-view input[type=search] {
  height: 24px; padding: 0 8px; border: 1px solid var(--tnb-line2); border-radius: 2px; background: var(--tnb-bg); }
.tracknb-view button { cursor: pointer; white-space: nowrap; }
.tracknb-view button:hover:enabled { background: var(--tnb-bg2); }
.tracknb-view button:disabled { opacity: .5; cursor: default; }
.tracknb-view input[type=checkbox] { margin: 0; width: 14px; height: 14px; accent-color: var(--tnb-accent); }
.tracknb-view :focus-visible { outline: 2px solid var(--tnb-accent); outline-offset: -1px; }
.tracknb-view .tnb-bar { display: flex; flex-wrap: wrap; align-items: center; gap: 4px 8px; padding: 4px 0; }
.tracknb-view .tnb-title { font-weight: 600; overflow: hidden; overflow-wrap: anywhere; max-height: 40px; }
.tracknb-view .tnb-quiet { color: var(--tnb-fg2); overflow-wrap: anywhere; }
.tracknb-view .tnb-push { margin-left: auto; }
.tracknb-view input[type=search] { width: 232px; min-width: 0; }
.tracknb-view .tnb-chips { display: flex; flex-wrap: wrap; gap: 4px; max-height: 68px; margin: 4px 0; overflow-y: auto; }
.tracknb-view .tnb-chip, .tracknb-view button.tnb-chip { display: inline-block; height: 20px; line-height: 18px; padding: 0 6px; border: 1px solid var(--tnb-line);
  border-radius: 2px; background: var(--tnb-bg2); max-width: 224px; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; font-size: 12px; }
.tracknb-view button.tnb-chip:hover { border-color: var(--tnb-accent); }
.tracknb-view .tnb-chip[aria-pressed=true] { background: var(--tnb-soft); border-color: var(--tnb-accent); font-weight: 600; }
.tracknb-view .tnb-set { border-radius: 10px; }
.tracknb-view .tnb-mark { width: 10px; height: 10px; flex: none; fill: currentColor; stroke: currentColor; stroke-width: 1.2; color: var(--tnb-fg2); }
.tracknb-view .tnb-mark[data-status=FINISHED] { color: var(--tnb-ok); }
.tracknb-view .tnb-mark[data-status=FAILED] { color: var(--tnb-bad); stroke-width: 2; fill: none; }
.tracknb-view .tnb-mark[data-status=RUNNING] { color: var(--tnb-busy); }
.tracknb-view .tnb-mark[data-status=SCHEDULED] { fill: none; }
.tracknb-view .tnb-icon { width: 16px; height: 16px; flex: none; display: block; fill: none; stroke: currentColor; stroke-width: 1.3; stroke-linejoin: round; stroke-linecap: round; }
.tracknb-view .tnb-icon.tnb-filled { fill: currentColor; }
.tracknb-view button.tnb-iconbutton { padding: 0 3px; border-color: transparent; background: none; flex: none; }
.tracknb-view button.tnb-link { padding: 0; height: auto; border: 0; background: none; color: inherit; overflow: hidden; text-overflow: ellipsis; text-align: left; }
.tracknb-view button.tnb-link:hover { text-decoration: underline; background: none; }
.tracknb-view button.tnb-plainlink { height: 20px; padding: 0; border: 0; background: none; color: var(--tnb-accent); max-width: 100%; overflow: hidden; text-overflow: ellipsis; }
.tracknb-view button.tnb-plainlink:hover:enabled { background: none; text-decoration: underline; }
.tracknb-view .tnb-swatch { display: inline-block; width: 8px; height: 8px; flex: none; border-radius: 1px; }
.tracknb-view .tnb-grid { position: relative; overflow: auto; border: 1px solid var(--tnb-line); background: var(--tnb-bg); contain: content; }
.tracknb-view .tnb-head { position: sticky; top: 0; z-index: 3; display: flex; height: 28px; background: var(--tnb-bg2); border-bottom: 1px solid var(--tnb-line2); }
.tracknb-view .tnb-body { position: relative; }
.tracknb-view .tnb-row { position: absolute; left: 0; display: flex; height: 28px; background: var(--tnb-bg); border-bottom: 1px solid var(--tnb-line); }
.tracknb-view .tnb-row:hover, .tracknb-view .tnb-row:hover .tnb-pin { background: var(--tnb-bg2); }
.tracknb-view .tnb-row[aria-selected=true], .tracknb-view .tnb-row[aria-selected=true] .tnb-pin { background: var(--tnb-soft); }
.tracknb-view .tnb-cell { flex: none; display: flex; align-items: center; gap: 6px; height: 27px; padding: 0 8px; overflow: hidden; white-space: nowrap; }
.tracknb-view .tnb-cell.tnb-plain { display: block; line-height: 27px; text-overflow: ellipsis; }
.tracknb-view .tnb-plain.tnb-right { text-align: right; }
.tracknb-view .tnb-cell > .tnb-chip { flex: none; max-width: 184px; }
.tracknb-view .tnb-cell > .tnb-chip:last-of-type { flex: 0 1 auto; min-width: 0; }
.tracknb-view .tnb-cell > span.tnb-t { overflow: hidden; text-overflow: ellipsis; }
.tracknb-view .tnb-pin { position: sticky; z-index: 1; background: var(--tnb-bg); }
.tracknb-view .tnb-head .tnb-pin { background: var(--tnb-bg2); }
.tracknb-view .tnb-right { justify-content: flex-end; font-variant-numeric: tabular-nums; }
.tracknb-view .tnb-active { outline: 2px solid var(--tnb-accent); outline-offset: -2px; }
.tracknb-view .tnb-head button { flex: 1; min-width: 0; height: 27px; padding: 0; border: 0; background: none; text-align: inherit; font-weight: 600; overflow: hidden; text-overflow: ellipsis; }
.tracknb-view .tnb-head .tnb-right button { text-align: right; }
.tracknb-view .tnb-empty { padding: 16px; border: 1px solid var(--tnb-line); }
.tracknb-view .tnb-copy { display: flex; gap: 8px; align-items: center; margin-top: 8px; flex-wrap: wrap; }
.tracknb-view .tnb-code, .tracknb-view pre { font-family: var(--jp-code-font-family, ui-monospace, Menlo, Consolas, monospace); font-size: var(--jp-code-font-size, 13px); }
.tracknb-view .tnb-code { padding: 2px 8px; background: var(--tnb-bg2); border: 1px solid var(--tnb-line); overflow-wrap: anywhere; }
.tracknb-view .tnb-picker { border: 1px solid var(--tnb-line2); padding: 8px; max-height: 196px; overflow: auto; margin-bottom: 4px; }
.tracknb-view .tnb-picker fieldset { border: 0; margin: 0 0 8px; padding: 0; display: flex; flex-wrap: wrap; gap: 4px 16px; }
.tracknb-view .tnb-picker legend { font-weight: 600; padding: 0; display: flex; gap: 8px; align-items: center; }
.tracknb-view label { display: inline-flex; gap: 4px; align-items: center; max-width: 100%; overflow-wrap: anywhere; }
.tracknb-view select { max-width: 240px; }
.tracknb-view .tnb-plot { position: relative; min-width: 0; }
.tracknb-view .tnb-tip { position: absolute; z-index: 5; pointer-events: none; padding: 4px 8px; max-width: 260px; border: 1px solid var(--tnb-line2);
  background: var(--tnb-bg); overflow-wrap: anywhere; font-size: 12px; line-height: 17px; }
.tracknb-view .tnb-tip b { display: block; }
.tracknb-view .tnb-plot[data-note]::after { content: attr(data-note); position: absolute; inset: 40% 0 auto; text-align: center; color: var(--tnb-fg2); pointer-events: none; }
.tracknb-view .tnb-charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 240px), 1fr)); gap: 8px; max-height: 520px; overflow-y: auto; }
.tracknb-view .tnb-chart { border: 1px solid var(--tnb-line); padding: 4px 8px; min-width: 0; }
.tracknb-view .tnb-chart h4 { margin: 0; font-size: 12px; line-height: 16px; font-weight: 600; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.tracknb-view .tnb-legend { display: flex; flex-wrap: wrap; gap: 0 12px; font-size: 12px; line-height: 16px; max-height: 32px; overflow-y: auto; }
.tracknb-view .tnb-legend span { display: inline-flex; gap: 4px; align-items: center; max-width: 100%; min-width: 0; }
.tracknb-view .tnb-legend i { width: 12px; height: 0; flex: none; border-top: 2px solid; }
.tracknb-view .tnb-legend i.tnb-dash { border-top-style: dashed; }
.tracknb-view .tnb-legend b { font-variant-numeric: tabular-nums; }
.tracknb-view .tnb-legend em { font-style: normal; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.tracknb-view .tnb-tiles { display: flex; flex-wrap: wrap; gap: 8px; padding: 4px 0; max-height: 118px; overflow-y: auto; }
.tracknb-view .tnb-tile { border: 1px solid var(--tnb-line); padding: 4px 8px; min-width: 96px; max-width: 100%; }
.tracknb-view .tnb-tile b { display: block; font-size: 16px; line-height: 20px; font-variant-numeric: tabular-nums; }
.tracknb-view .tnb-tile span { display: block; font-size: 12px; line-height: 16px; color: var(--tnb-fg2); overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.tracknb-view .tnb-lines { max-height: 224px; overflow-y: auto; }
.tracknb-view .tnb-line { display: flex; flex-wrap: wrap; align-items: center; gap: 0 8px; min-height: 28px; }
.tracknb-view .tnb-line b, .tracknb-view .tnb-line .tnb-quiet { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; max-width: 320px; }
.tracknb-view .tnb-num { font-variant-numeric: tabular-nums; white-space: nowrap; }
.tracknb-view .tnb-progress { width: 96px; height: 4px; background: var(--tnb-line); flex: none; }
.tracknb-view .tnb-progress div { height: 100%; background: var(--tnb-busy); }
.tracknb-view .tnb-error { color: var(--tnb-bad); overflow-wrap: anywhere; max-height: 60px; overflow-y: auto; }
.tracknb-view .tnb-alert { white-space: pre-wrap; overflow-wrap: anywhere; max-height: 60px; overflow-y: auto; border-left: 3px solid var(--tnb-bad); padding-left: 8px; }
.tracknb-view .tnb-doubt { color: var(--tnb-fg2); }
.tracknb-view .tnb-doubts { border-left: 2px solid var(--tnb-line2); padding: 0 8px; margin: 4px 0; max-height: 120px; overflow-y: auto; overflow-wrap: anywhere; white-space: pre-wrap; }
.tracknb-view .tnb-doubts:empty { display: none; }
.tracknb-view .tnb-warning { border-left: 2px solid var(--tnb-bad); padding: 2px 8px; margin: 4px 0; background: var(--tnb-bg2); overflow-wrap: anywhere; }
.tracknb-view .tnb-warning:empty, .tracknb-view .tnb-alert:empty, .tracknb-view .tnb-error:empty, .tracknb-view .tnb-quiet:empty, .tracknb-view .tnb-chips:empty, .tracknb-view .tnb-tiles:empty, .tracknb-view .tnb-charts:empty { display: none; }
.tracknb-view pre { margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; }
.tracknb-view [hidden] { display: none !important; }
.tracknb-view .tnb-sr { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
`;

/** Whether the surroundings are dark now. */
export function isDark(): boolean {
  const light = document.body?.getAttribute('data-jp-theme-light');
  if (light !== null && light !== undefined) {
    return light === 'false';
  }
  const vscode = document.body?.getAttribute('data-vscode-theme-kind');
  if (vscode) {
    return vscode.includes('dark') || vscode === 'vscode-high-contrast';
  }
  return window.matchMedia?.('(prefers-color-scheme: dark)').matches ?? false;
}

/**
 * A view's own rules, one step stronger than the common ones: every output brings those along,
 * and the ones of an output further down would win against this view's where both weigh the same.
 */
const ownRules = (css: string): string => css.replaceAll('.tracknb-view', 'div.tracknb-view');

/** The root of a view: styles, a view's own among them, no notebook shortcuts inside, and the theme followed. */
export function makeRoot(onTheme: () => void = () => undefined, css = ''): { element: HTMLElement; destroy(): void } {
  const element = document.createElement('div');
  element.className = 'tracknb-view';
  element.setAttribute('data-lm-suppress-shortcuts', 'true');
  // Notebook shortcuts are bound to `:focus`, which fits the focused control before its ancestors are asked.
  element.addEventListener('focusin', event => (event.target as Element).setAttribute('data-lm-suppress-shortcuts', 'true'));
  // The styles travel with the view, so that it looks the same inside a shadow root.
  const style = document.createElement('style');
  style.textContent = UPLOT_CSS + CSS + ownRules(css);
  element.append(style);
  const apply = () => element.classList.toggle('tnb-dark', isDark());
  apply();
  let later = 0;
  const changed = () => {
    apply();
    // JupyterLab swaps its style sheet after the attribute; wait until that has happened.
    requestAnimationFrame(() => onTheme());
    clearTimeout(later);
    later = window.setTimeout(onTheme, 300);
  };
  const observer = new MutationObserver(changed);
  observer.observe(document.body, {
    attributes: true,
    attributeFilter: ['data-jp-theme-light', 'data-jp-theme-name', 'data-vscode-theme-kind']
  });
  const media = window.matchMedia?.('(prefers-color-scheme: dark)');
  media?.addEventListener('change', changed);
  return {
    element,
    destroy() {
      observer.disconnect();
      clearTimeout(later);
      media?.removeEventListener('change', changed);
      element.remove();
    }
  };
}

export interface ChartColors {
  text: string;
  line: string;
  bg: string;
}

/** Canvas knows no CSS variables, so charts ask for the values. */
export function chartColors(element: Element): ChartColors {
  const style = getComputedStyle(element);
  const fallback = isDark() ? DARK : LIGHT;
  const read = (name: string, other: string) => style.getPropertyValue(name).trim() || other;
  return {
    text: read('--tnb-fg2', fallback.fg2),
    line: read('--tnb-line', fallback.line),
    bg: read('--tnb-bg', fallback.bg)
  };
}
