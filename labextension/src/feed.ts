/** A list that the server keeps: what has changed since the last look is added to what is here. */

/** What the server answers: nothing but the revision where nothing is new. */
export interface Delta<Row> {
  revision: string;
  /** The rows are all there are, and not only those that changed. */
  whole?: boolean;
  rows?: Record<string, Row>;
  gone?: string[];
  more?: boolean;
  experiments?: string[];
}

export class Feed<Row> {
  readonly rows = new Map<string, Row>();
  /** There are more rows than were asked for. */
  more = false;
  experiments: string[] = [];
  /** Whether an answer has come at all. */
  loaded = false;

  constructor(private readonly fetch: (since: string) => Promise<Delta<Row>>) {}

  /** Look again; tells whether anything is new. Fails as the server does, and then keeps what is here. */
  async refresh(): Promise<boolean> {
    const since = this.revision;
    const delta = await this.fetch(since);
    if (since !== this.revision || (this.loaded && delta.revision === since)) {
      return false;
    }
    if (delta.whole) {
      this.rows.clear();
    }
    for (const [key, row] of Object.entries(delta.rows ?? {})) {
      this.rows.set(key, row);
    }
    delta.gone?.forEach(key => this.rows.delete(key));
    this.revision = delta.revision;
    this.more = delta.more ?? this.more;
    this.experiments = delta.experiments ?? this.experiments;
    this.loaded = true;
    return true;
  }

  private revision = '';
}
