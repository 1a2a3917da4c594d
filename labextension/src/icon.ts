/** The mark of tracknb: two curves in their axes. */

import { LabIcon } from '@jupyterlab/ui-components';

export const runsIcon = new LabIcon({
  name: 'tracknb:runs',
  svgstr:
    '<svg xmlns="http://www.w3.org/2000/svg" width="16" height="16" viewBox="0 0 16 16"><g class="jp-icon3" fill="none" stroke="#616161" stroke-width="1.4">' +
    '<path d="M2 2v12h12" style="fill:none"/><path d="M4.5 4.5c1 5 3 6.5 9 7" style="fill:none"/><path d="M4.5 9.5c2 1.5 4-4.5 9-5" style="fill:none"/></g></svg>'
});
