/** The payload under `application/vnd.tracknb.view+json`, and what the views promise. */

export const MIME = 'application/vnd.tracknb.view+json';
/** The newest payload version that this code reads. */
export const VERSION = 1;

/** A number as JSON carries it: non-finite ones are words. */
export type JsonNumber = number | 'NaN' | 'Infinity' | '-Infinity' | null;
export type Pair = [string, string];

export interface RunData {
  n: number;
  id: string[];
  name: string[];
  status: string[];
  start: (number | null)[];
  end: (number | null)[];
  lifecycle: string[];
  user: string[];
  experiment: string[];
  source: string[];
  color: number[];
  group: string[];
  attempt: (number | null)[];
  tags: { dict: Pair[]; codes: number[][] };
  evalSets: { dict: string[]; codes: number[][] };
  metrics: { key: string; values: JsonNumber[] }[];
  params: { key: string; dict: string[]; codes: number[] }[];
  /** How many metrics, params and tags of a run are in these data at most; null where all are. */
  keys?: number | null;
}

interface Common {
  version: number;
  view: string;
  text?: string;
}

export interface RunsPayload extends Common {
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
}

export interface TrendPayload extends Omit<RunsPayload, 'kind'> {
  kind: 'trend';
  metric: string | null;
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
