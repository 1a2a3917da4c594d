/** The page that a view was saved as: draws the data that stands in it; without a kernel, and without any address. */

import { createView } from './ui/view';

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
