/**
 * A line to the kernel of a document, on which a view tells what is ticked and asks for more.
 *
 * JupyterLab sends a comm's messages over a subshell where the kernel has them (ipykernel 7),
 * so they are read while a cell runs. The comm itself must be opened there too: opened over
 * the main shell it is unknown to the subshell until the cell ends, and messages are lost.
 */

import type { Answer, Question } from './ui/types';

const TARGET = 'tracknb.view';
/** A kernel that has not answered by then is told of as busy. */
const PATIENCE = 20_000;
/** How long to wait for a subshell before the comm is opened without. */
const SUBSHELL = 3_000;

/** So many turns JupyterLab takes at most to let go of a comm's subshell. */
const TURNS = 8;

/** The parts of JupyterLab's kernel connection that are used here; the same in Notebook 7. */
export interface KernelLike {
  id?: string;
  supportsSubshells?: boolean;
  info?: Promise<unknown>;
  createComm(target: string): CommLike;
}

export interface CommLike {
  open(data: unknown): { done?: Promise<unknown> };
  send(data: unknown): { done?: Promise<unknown> };
  isDisposed?: boolean;
  commsOverSubshells?: string;
  subshellStarted?: Promise<void>;
  onMsg?: unknown;
  onClose?: unknown;
  close?(): unknown;
  dispose?(): void;
}

export interface Message {
  content: { data: { id?: number; answer?: Record<string, unknown>; error?: string; push?: unknown } };
  buffers?: (ArrayBuffer | ArrayBufferView)[];
}

interface Waiting {
  resolve(answer: Answer): void;
  reject(problem: Error): void;
  timer: number;
}

export class KernelLine {
  /** What the kernel sends without being asked. */
  onPush: ((message: unknown) => void) | undefined;
  /** The kernel closed the line: it does not know tracknb, or is gone. */
  onLost: (() => void) | undefined;

  /**
   * @param reachBusy another way to a kernel that has not even told of itself yet: a page
   * that was loaded again hears nothing over its own connection while a cell runs.
   */
  constructor(
    private readonly view: unknown,
    private readonly findKernel: () => KernelLike | undefined,
    private readonly reachBusy?: (id: string) => Promise<KernelLike & { close(): void }>
  ) {}

  /** Whether there is a kernel now. */
  get isThere(): boolean {
    return this.findKernel() !== undefined;
  }

  /** Tell the kernel something; without a kernel there is nobody to tell. */
  tell(data: unknown): void {
    this.connect().then(
      comm => this.settle(comm.send(data)),
      () => undefined
    );
  }

  /** Whether the kernel reads what it is sent while a cell runs. */
  async answersWhileBusy(): Promise<boolean> {
    const kernel = this.findKernel();
    return kernel !== undefined && ((await this.reach(kernel)).supportsSubshells ?? false);
  }

  /** Ask the kernel; fails with a sentence for people. */
  async ask(question: Question, patience = PATIENCE): Promise<Answer> {
    const comm = await this.connect();
    const id = (this.count += 1);
    return new Promise<Answer>((resolve, reject) => {
      const busy = () => {
        this.waiting.delete(id);
        reject(new Error('The kernel is busy and does not answer. Try again when the cell has ended.'));
      };
      const timer = Number.isFinite(patience) ? window.setTimeout(busy, patience) : 0;
      this.waiting.set(id, { resolve, reject, timer });
      this.settle(comm.send({ id, question }));
    });
  }

  dispose(): void {
    this.fail('This view was closed.');
    const comm = this.comm;
    this.comm = this.opening = undefined;
    const detour = this.detour;
    this.detour = undefined;
    void (comm ? leave(comm) : Promise.resolve())
      .then(() => detour)
      .then(kernel => kernel?.close())
      // The kernel is gone.
      .catch(() => undefined);
  }

  private connect(): Promise<CommLike> {
    const kernel = this.findKernel();
    if (!kernel) {
      return Promise.reject(new Error('No kernel is running. Start one and run %load_ext tracknb to see more.'));
    }
    if (!this.opening || this.kernel !== kernel || this.comm?.isDisposed) {
      this.kernel = kernel;
      this.opening = this.open(kernel);
      this.opening.catch(() => (this.opening = undefined));
    }
    return this.opening;
  }

  /** The kernel as JupyterLab has it, or over a socket of our own where it is too busy to be had. */
  private async reach(kernel: KernelLike): Promise<KernelLike> {
    const told = await Promise.race([kernel.info?.then(() => true), after(SUBSHELL)]);
    if (told || !this.reachBusy || !kernel.id) {
      return kernel;
    }
    this.detour ??= this.reachBusy(kernel.id);
    return this.detour.catch(() => kernel);
  }

  private async open(kernel: KernelLike): Promise<CommLike> {
    const reached = await this.reach(kernel);
    const comm = reached.createComm(TARGET);
    this.comm = comm;
    if (reached.supportsSubshells && comm.subshellStarted) {
      await Promise.race([comm.subshellStarted, after(SUBSHELL)]);
    }
    comm.onMsg = (message: Message) => this.heard(message);
    comm.onClose = () => {
      if (this.comm === comm) {
        this.comm = this.opening = undefined;
        this.fail('The kernel does not know tracknb. Run %load_ext tracknb in it.');
        this.onLost?.();
      }
    };
    this.settle(comm.open({ view: this.view }));
    return comm;
  }

  private heard(message: Message): void {
    const { id, answer, error, push } = message.content.data;
    if (push !== undefined) {
      this.onPush?.(push);
    }
    const waiting = id === undefined ? undefined : this.waiting.get(id);
    if (!waiting) {
      return;
    }
    this.waiting.delete(id!);
    clearTimeout(waiting.timer);
    if (error !== undefined) {
      waiting.reject(new Error(error));
    } else {
      waiting.resolve({ ...answer, buffers: (message.buffers ?? []).map(asView) });
    }
  }

  private fail(problem: string): void {
    for (const waiting of this.waiting.values()) {
      clearTimeout(waiting.timer);
      waiting.reject(new Error(problem));
    }
    this.waiting.clear();
  }

  /** Comm calls answer with futures whose failure must not reach the console as unhandled. */
  private settle(future: { done?: Promise<unknown> } | undefined): void {
    future?.done?.catch?.(() => {
      // A kernel that is dead, restarting or of another language.
      this.comm = this.opening = undefined;
      this.fail('The kernel was restarted or is gone.');
      this.onLost?.();
    });
  }

  private comm: CommLike | undefined;
  private kernel: KernelLike | undefined;
  private detour: Promise<KernelLike & { close(): void }> | undefined;
  private opening: Promise<CommLike> | undefined;
  private count = 0;
  private readonly waiting = new Map<number, Waiting>();
}

/**
 * Close a comm, so that the kernel stops what it does for this page. JupyterLab deletes a
 * subshell with its last comm, and what was sent over it shortly before is often not read:
 * so the kernel is told over the subshell, which it may hear at once, and the comm is closed
 * over the main shell, which it hears when its cell has ended. No timer: the page may be on its way out.
 */
async function leave(comm: CommLike): Promise<void> {
  comm.send({ left: true }).done?.catch?.(() => undefined);
  if (comm.commsOverSubshells) {
    comm.commsOverSubshells = 'disabled';
    for (let turn = 0; turn < TURNS; turn++) {
      await Promise.resolve();
    }
  }
  (comm.close ?? comm.dispose)?.call(comm);
}

const after = (ms: number) => new Promise<void>(resolve => setTimeout(resolve, ms));

function asView(buffer: ArrayBuffer | ArrayBufferView): DataView {
  return buffer instanceof ArrayBuffer ? new DataView(buffer) : new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength);
}
