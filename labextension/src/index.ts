/** What tracknb adds to JupyterLab and Notebook 7, each part by itself. */

import { panel } from './panel';
import { renderer } from './renderer';
import { telling } from './telling';

export default [renderer, panel, telling];
