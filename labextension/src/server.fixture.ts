/** Our part of a Jupyter server whose answers the test gives, when it wants. */

import { ServerConnection } from '@jupyterlab/services';
import { expect, vi } from 'vitest';
import { TracknbServer, type Stores } from './server';

/** A request that the test has not answered yet. */
export interface Asked {
  url: URL;
  reply(content: unknown, status?: number): void;
}

export class AskedServer {
  readonly asked: Asked[] = [];

  readonly server = new TracknbServer(
    ServerConnection.makeSettings({ baseUrl: 'http://localhost/', fetch: ((request: Request) => this.fetch(request)) as never })
  );

  /** The next request, named by the end of its address and by what it must ask. */
  async request(name: string, about: Record<string, string> = {}): Promise<Asked> {
    const is = ({ url }: Asked) =>
      url.pathname.endsWith(name) && Object.entries(about).every(([key, value]) => url.searchParams.get(key) === value);
    await vi.waitFor(() => expect(this.asked.some(is)).toBe(true));
    return this.asked.splice(this.asked.findIndex(is), 1)[0];
  }

  private fetch(request: Request): Promise<Response> {
    return new Promise(resolve =>
      this.asked.push({
        url: new URL(request.url),
        reply: (content, status = 200) => resolve(new Response(JSON.stringify(content), { status }))
      })
    );
  }
}

export const stores = (likely: string): Stores => ({ stores: ['a.db', 'b.db'], likely, isGuess: false, star: 'star', root: '/work' });

/** All rows there are. */
export function whole(rows: Record<string, object>): object {
  return { revision: JSON.stringify(rows), whole: true, rows, gone: [], more: false, experiments: [] };
}

/** Long enough for an answer to be taken in. */
export const aMoment = () => new Promise(resolve => setTimeout(resolve, 50));
