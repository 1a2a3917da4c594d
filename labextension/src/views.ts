/**
 * Everything that draws, as one script: JupyterLab's extension loads it when the first view is
 * wanted, and a saved page holds it as text, beside the data that it draws.
 */

import { runListView } from './ui/runlist';
import { createView } from './ui/view';

export { createView, runListView };

const script = document.currentScript;
// A script that was loaded from an address is the extension's, whatever else is on that page.
if (script instanceof HTMLScriptElement && !script.src) {
  drawSavedPage();
}

function drawSavedPage(): void {
  const data = document.getElementById('data')?.textContent;
  const place = document.getElementById('view');
  const plain = document.getElementById('plain');
  if (data && place && plain) {
    try {
      place.append(createView(JSON.parse(data)).element);
      plain.hidden = true;
    } catch (error) {
      // The plain tables say the same.
      console.error('tracknb: this page could not be drawn', error);
      place.replaceChildren();
    }
  }
}
