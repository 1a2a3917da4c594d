/** The payload under `application/vnd.tracknb.view+json`, and what the views promise. */

export const MIME = 'application/vnd.tracknb.view+json';
/** The newest payload version that this code reads. */
export const VERSION = 1;

/** A number as JSON carries it: non-finite ones are words. */
export type JsonNumber = number | 'NaN' | 'Infinity' | '-Infinity' | null;
export type Pair = [string, string];

/** A metric of all runs. With `there`, which says 1 where a value is, the values are a typed array. */
export interface NumberColumn {
  key: string;
  values: ArrayLike<JsonNumber>;
  there?: Uint8Array;
}

/** Read numbers with `numberAt` and times with `timeAt` (rundata.ts): they may be typed arrays. */
export interface RunData {
  n: number;
  id: string[];
  name: string[];
  status: string[];
  start: ArrayLike<number | null>;
  end: ArrayLike<number | null>;
  lifecycle: string[];
  user: string[];
  experiment: string[];
  source: string[];
  color: number[];
  group: string[];
  attempt: ArrayLike<number | null>;
  /** Ids of parents, and the counts of the cells; missing where no run has one. */
  parent?: string[];
  cell?: string[];
  /** The rows that are marked so. */
  starred?: number[];
  pinned?: number[];
  archived?: number[];
  tags: { dict: Pair[]; codes: number[][] };
  evalSets: { dict: string[]; codes: number[][] };
  metrics: NumberColumn[];
  /** Metrics that tracknb samples of the machine. */
  system?: NumberColumn[];
  params: { key: string; dict: string[]; codes: ArrayLike<number> }[];
  /** How many metrics, params and tags of a run are in these data at most; null where all are. */
  keys?: number | null;
}

/** Which way a metric is better, its unit, and the one that counts most. */
export interface Goals {
  directions?: Record<string, 'lower' | 'higher'>;
  units?: Record<string, string>;
  primary?: string | null;
}

interface Common {
  version: number;
  view: string;
  text?: string;
}

export interface RunsPayload extends Common, Goals {
  kind: 'runs';
  title: string;
  experiment: string | null;
  query: string;
  total: number;
  matched: number;
  note: string;
  now: number;
  tagFilter: Pair[];
  evalFilter: string[];
  data: RunData;
  /** How many runs the kernel holds for this view, and the question that it was made from. */
  held?: number;
  asked?: unknown;
  warning?: string;
  /** The tags by which this user stars and pins, and the one of archived runs. */
  marks?: { star: string; pin: string; archived: string };
  showArchived?: boolean;
  /** Small curves of the first rows: digits in sixteenths, a blank for no value. */
  sparks?: Record<string, string[]>;
}

export interface TrendPayload extends Omit<RunsPayload, 'kind'> {
  kind: 'trend';
  metric: string | null;
  /** Which data of its Evaluation Set a run was evaluated on, as small numbers; only where one name stands for several. */
  digests?: (number | null)[];
}

export interface SeriesJson {
  key: string;
  last: JsonNumber;
  last_step: number;
  min: JsonNumber;
  min_step: number;
  max: JsonNumber;
  max_step: number;
  count: number;
  x: number[];
  y: JsonNumber[];
  t: number[];
}

export interface PanelRunBase {
  id: string;
  name: string;
  experiment: string;
  status: string;
  start: number;
  end: number | null;
  color: number;
  attempt: number | null;
  params: Pair[];
  tags: Pair[];
  evalSets: string[];
  note: string;
  error: string | null;
  progress: { n: number; total: number | null; label: string } | null;
  changed: [string, string, string][];
}

export interface PanelRun extends PanelRunBase {
  series: SeriesJson[];
}

export interface PanelPayload extends Common {
  kind: 'panel';
  now: number;
  note: string;
  runs: PanelRun[];
}

export interface PointsMessage {
  type: 'points';
  now: number;
  runs: (Partial<PanelRunBase> & { id: string; append?: SeriesJson[] })[];
}

export type Payload = RunsPayload | TrendPayload | PanelPayload;

/** What a view asks of the kernel; `ask` names the question. */
export interface Question {
  ask: string;
  [key: string]: unknown;
}

/** What the kernel answers; big data stand in `buffers`. */
export interface Answer {
  [key: string]: unknown;
  buffers: DataView[];
}

/** Another page to look at. */
export type Target =
  | { page: 'run'; id: string }
  | { page: 'runs'; experiment: string | null }
  | { page: 'trend'; experiment: string | null; metric?: string }
  | { page: 'compare'; ids: string[] };

/** What a person has set in a view, as flat text; state.ts names the parts. */
export type ViewState = Readonly<Record<string, string>>;

/** What surrounds a view: who hears it, and who it may ask. All of it may be missing in a saved notebook. */
export interface Host {
  onSelect?(ids: string[]): void;
  /** Ask the kernel; fails with a sentence for people. Missing where there is no kernel. */
  ask?(question: Question): Promise<Answer>;
  /** Show another page; `known` is what the saved output knows of it, for when no kernel answers. */
  open?(target: Target, known?: Payload): void;
  /** A kernel may still send points. */
  live?: boolean;
  /** What the view begins with; parts that it does not know are none of its business. */
  state?: ViewState;
  /** The view is part of the dashboard, which has the button that copies the view. */
  inside?: boolean;
}

export interface View {
  element: HTMLElement;
  update?(message: unknown): void;
  /** What is set in it now: only what differs from how it opens by itself. */
  state?(): ViewState;
  destroy(): void;
}
