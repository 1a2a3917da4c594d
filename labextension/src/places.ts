/** Which stores there are around a notebook; asked again after a while, and soon while it has none of its own. */

import { ServerPartMissing, type Stores, type TracknbServer } from './server';

const HOLDS = 30_000;
const HOLDS_A_GUESS = 3_000;
/** Nobody who asks every few seconds is told anything new before the server was restarted. */
const HOLDS_MISSING = 60_000;

interface Known {
  stores: Promise<Stores>;
  until: number;
}

export class Places {
  constructor(private readonly server: TracknbServer) {}

  /** The tag that is this user's star; known once somebody has asked for stores. */
  star: string | undefined;

  /** Fails with `ServerPartMissing` where nobody answers for us. */
  around(document: string): Promise<Stores> {
    const known = [this.missing, this.known.get(document)].find(each => each && Date.now() < each.until);
    return known ? known.stores : this.ask(document);
  }

  private ask(document: string): Promise<Stores> {
    const known: Known = { stores: this.server.stores(document), until: Infinity };
    this.known.set(document, known);
    known.stores.then(
      ({ star, isGuess }) => {
        this.star = star;
        // A notebook without a store may make one at any moment.
        known.until = Date.now() + (isGuess ? HOLDS_A_GUESS : HOLDS);
      },
      problem => {
        this.known.delete(document);
        if (problem instanceof ServerPartMissing) {
          known.until = Date.now() + HOLDS_MISSING;
          this.missing = known;
        }
      }
    );
    return known.stores;
  }

  private readonly known = new Map<string, Known>();
  private missing: Known | undefined;
}
