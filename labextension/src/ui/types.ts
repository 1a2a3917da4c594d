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
  /** Each run's grade and what speaks against it, line by line; none or one a row. Missing in outputs of an older tracknb. */
  grades?: { dict: Pair[]; codes: number[][] };
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
  /** What a copied line set, and what of it nobody knew. */
  state?: ViewState;
  stateNote?: string;
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
  /** Sentences on what somebody would want to be told: a metric that is NaN, one that no longer gets better. */
  alerts?: string[];
  /** What the run depends on and its notebook does not show. */
  hidden?: string[];
}

/** What changed since another run, in words; `diff` are lines that begin with their sign. */
export interface SinceJson {
  title: string;
  changes: { kind: string; text: string; diff: string[] }[];
}

export interface PanelRun extends PanelRunBase {
  series: SeriesJson[];
  since?: SinceJson | null;
}

export interface PanelPayload extends Common {
  kind: 'panel';
  now: number;
  note: string;
  runs: PanelRun[];
}

/** A fact of every run, as codes into a dictionary; -1 where a run lacks it. */
export interface CodedFact {
  section: string;
  key: string;
  dict: string[];
  codes: number[];
}

export interface ComparePayload extends Common {
  kind: 'compare';
  title: string;
  now: number;
  note: string;
  /** What makes the runs hard to compare. */
  warnings: string[];
  onlyDifferences: boolean;
  /** The same in short, where two runs are compared. */
  since?: SinceJson | null;
  /** The runs' names, told apart where two share one. */
  labels: string[];
  data: RunData;
  directions?: Record<string, 'lower' | 'higher'>;
  units?: Record<string, string>;
  primary?: string | null;
  facts: CodedFact[];
  /** With the cells that a run depends on; `several` says where there are such. */
  code: { dict: string[]; codes: number[]; several?: boolean[] };
  /** The rows whose cells displayed something. */
  outputs?: boolean[];
  /** By metric; `run` is a row of `data`. */
  curves: { key: string; runs: (SeriesJson & { run: number })[] }[];
}

export interface FileJson {
  path: string;
  dir: boolean;
  size: number | null;
}

export interface FilesJson {
  location: string;
  /** All files of the run, folders above what lies in them; `null` where nobody has looked. */
  entries: FileJson[] | null;
  /** There are more than `entries`. */
  cut: boolean;
  problem: string;
}

export interface RelativeJson {
  id: string;
  name: string;
  status: string;
  color: number;
}

export interface PageRun {
  id: string;
  name: string;
  experiment: string;
  experimentId: string;
  status: string;
  lifecycle: string;
  user: string;
  start: number | null;
  end: number | null;
  color: number;
  attempt: number | null;
  source: { name: string; type: string; cell: string; count: string };
  env: { python: string; platform: string; accelerator?: string; packages?: string };
  git: { commit: string; branch: string; remote: string; dirty: boolean; changes?: string; untracked?: string[] };
  error: string;
  traceback: string;
  description: string;
  evalSets: string[];
  tags: Pair[];
  systemTags: Pair[];
  params: Pair[];
  series: SeriesJson[];
  code: string;
  /** The cells that the run depends on, in the order in which they ran, with the names for which it does. */
  cells?: { count: number; names: string[]; source: string }[];
  /** Since the attempt before. */
  since?: SinceJson | null;
  /** How far the run can be trusted to come out again, in a word (grade.ts), and why not further, each with what helps. */
  grade?: string;
  doubts?: string[];
  inputs: { name: string; digest: string; context: string; source: string; type: string }[];
  files: FilesJson;
  parent: RelativeJson | null;
  children: RelativeJson[];
  moreChildren: boolean;
}

export interface RunPagePayload extends Common {
  kind: 'run';
  now: number;
  note: string;
  /** Curves have fewer points, or texts fewer letters, than the store has. */
  thinned: boolean;
  /** Made of a table's row: only what a row holds is known. */
  partial?: boolean;
  run: PageRun;
}

export interface PointsMessage {
  type: 'points';
  now: number;
  runs: (Partial<PanelRunBase> & { id: string; append?: SeriesJson[] })[];
}

/** What the catalogue says of each experiment, column by column. */
export interface ExperimentData {
  id: string[];
  name: string[];
  runs: number[];
  /** 1 where the person who looks has runs in it. */
  mine: number[];
  lastRun: (number | null)[];
  created: (number | null)[];
  /** After `locationBase`. */
  location: string[];
  tags: Record<string, string>[];
}

interface CatalogueFields extends Common {
  now: number;
  total: number;
  /** The tag that is the star of who looks. */
  star: string;
  user: string;
  note: string;
  locationBase: string;
  data: ExperimentData;
}

export interface ExperimentsPayload extends CatalogueFields {
  kind: 'experiments';
}

/** One experiment: the catalogue of it alone, and its runs. */
export interface ExperimentPayload extends CatalogueFields {
  kind: 'experiment';
  stage: string;
  runs: RunsPayload | null;
}

export interface DashboardPayload extends Common {
  kind: 'dashboard';
  catalogue: ExperimentsPayload;
  /** The experiment whose runs are in `runs`. */
  experiment: string | null;
  runs: RunsPayload | null;
  /** Pages of the newest runs by run id, and runs of other experiments by name: for where no kernel answers. */
  pages: Record<string, Payload>;
  others: Record<string, RunsPayload>;
  stateView?: string;
}

export type Payload =
  | RunsPayload
  | TrendPayload
  | PanelPayload
  | ComparePayload
  | RunPagePayload
  | ExperimentsPayload
  | ExperimentPayload
  | DashboardPayload;

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
  | { page: 'experiment'; id: string }
  | { page: 'trend'; experiment: string | null; metric?: string }
  | { page: 'compare'; ids: string[] };

/** What a person has set in a view, as flat text; state.ts names the parts. */
export type ViewState = Readonly<Record<string, string>>;

/** Where a run came from, as far as it is known. */
export interface RunPlace {
  /** The run's name, for people. */
  run: string;
  /** The notebook as the run names it, and by its path below the server's folder where that is known. */
  source: string;
  document?: string;
  cell: string;
  code: string;
}

/** The notebook that a view stands in, or that is open beside it. */
export interface CellHost {
  /** Scroll to the cell that made a run. */
  goTo(place: RunPlace): Promise<void>;
  /** Put the run's code into a new cell. */
  restore(place: RunPlace): Promise<void>;
}

/** What surrounds a view: who hears it, and who it may ask. All of it may be missing in a saved notebook. */
export interface Host {
  onSelect?(ids: string[]): void;
  /** Ask the kernel; fails with a sentence for people. Missing where there is no kernel. */
  ask?(question: Question): Promise<Answer>;
  /** Whether a kernel would hear a question now; without it, `ask` is taken for a yes. */
  isThere?(): boolean;
  /** Show another page; `known` is what the saved output knows of it, for when no kernel answers. */
  open?(target: Target, known?: Payload): void;
  /** Where there are notebooks to go to. */
  cell?: CellHost;
  /** A kernel may still send points. */
  live?: boolean;
  /** What the view begins with; parts that it does not know are none of its business. */
  state?: ViewState;
  /** The view is part of another, which says what it shows and has the button that copies the view. */
  inside?: boolean;
}

export interface View {
  element: HTMLElement;
  update?(message: unknown): void;
  /** What is set in it now: only what differs from how it opens by itself. */
  state?(): ViewState;
  destroy(): void;
}
