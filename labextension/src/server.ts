/** What our part of the Jupyter server is asked; it answers while every kernel is busy, or none runs. */

import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';
import type { Delta } from './feed';
import type { CellRuns, RunRow } from './ui/runlist';
import type { Answer, Question } from './ui/types';

/** The stores there are, the one that a notebook most likely uses, and the tag that is this user's star. */
export interface Stores {
  stores: string[];
  likely: string | null;
  /** Nothing says that the notebook uses it: it is only the nearest. */
  isGuess: boolean;
  star: string;
  /** The folder that the server shows, as runs name it. */
  root: string;
}

/** Which runs are wanted; what is missing or empty does not narrow them. */
export interface RunsWanted {
  store: string;
  document?: string;
  query?: string;
  experiment?: string;
  starred?: boolean;
  limit?: number;
}

const PACKED = 'application/vnd.tracknb.answer';

/** Our part of the server is not there: it was switched off, or the server is older than the installation. */
export class ServerPartMissing extends Error {
  constructor() {
    super('The Jupyter server does not know tracknb yet. Restart it, and this list shows your runs.');
  }
}

export class TracknbServer {
  constructor(private readonly settings: ServerConnection.ISettings) {}

  /** Fails with `ServerPartMissing` where nobody answers for us. */
  async stores(document: string): Promise<Stores> {
    return (await this.request('stores', { document })).json() as Promise<Stores>;
  }

  /** The folder that the server shows; empty where nobody answers for us. */
  async root(): Promise<string> {
    return this.stores('').then(
      ({ root }) => root,
      () => ''
    );
  }

  async runs(wanted: RunsWanted, since: string): Promise<Delta<RunRow>> {
    return (await this.request('runs', { ...wanted, since })).json() as Promise<Delta<RunRow>>;
  }

  async cells(store: string, document: string, since: string): Promise<Delta<CellRuns>> {
    return (await this.request('cells', { store, document, since })).json() as Promise<Delta<CellRuns>>;
  }

  /** Answer a view as its kernel would. */
  async ask(store: string, question: Question): Promise<Answer> {
    const response = await this.request('ask', { store }, { method: 'POST', body: JSON.stringify(question) });
    if (response.headers.get('Content-Type') === PACKED) {
      return unpack(await response.arrayBuffer());
    }
    return { ...((await response.json()) as object), buffers: [] };
  }

  private async request(name: string, parameters: object, init: RequestInit = {}): Promise<Response> {
    const given = Object.entries(parameters).filter(([, value]) => value !== undefined && value !== '' && value !== false);
    const query = new URLSearchParams(given.map(([key, value]) => [key, String(value)]));
    const url = `${URLExt.join(this.settings.baseUrl, 'tracknb', name)}?${query}`;
    let response: Response;
    try {
      response = await ServerConnection.makeRequest(url, init, this.settings);
    } catch {
      throw new Error('The Jupyter server does not answer.');
    }
    if (response.ok) {
      return response;
    }
    const told = (await response.json().catch(() => undefined)) as { message?: unknown } | undefined;
    if (response.status === 404 && name === 'stores') {
      throw new ServerPartMissing();
    }
    throw new Error(typeof told?.message === 'string' ? told.message : `The Jupyter server refused: ${response.statusText}`);
  }
}

/** JSON and its binary parts: how long the JSON is, how many parts follow, how long each is; then all of them. */
export function unpack(body: ArrayBuffer): Answer {
  const view = new DataView(body);
  const count = view.getUint32(4, true);
  let at = 8 + 4 * count;
  const head = view.getUint32(0, true);
  const content = JSON.parse(new TextDecoder().decode(new Uint8Array(body, at, head))) as object;
  at += head;
  const buffers: DataView[] = [];
  for (let part = 0; part < count; part++) {
    const size = view.getUint32(8 + 4 * part, true);
    buffers.push(new DataView(body, at, size));
    at += size;
  }
  return { ...content, buffers };
}
