/**
 * A kernel reached over a socket of our own. After a page was loaded again JupyterLab's own
 * connection hears nothing before the kernel has told of itself, and a kernel that runs a
 * cell does not; a subshell, asked for on the control channel, answers at once.
 */

import type { CommLike, KernelLike, Message } from './line';

/** The parts of JupyterLab's server settings that are used here. */
export interface ServerLike {
  wsUrl: string;
  token: string;
  appendToken: boolean;
  WebSocket: typeof WebSocket;
}

interface Wire {
  channel: string;
  header: Record<string, unknown>;
  parent_header: { msg_id?: string };
  metadata: Record<string, unknown>;
  content: Record<string, unknown>;
  buffers?: unknown[];
}

const id = (): string => crypto.randomUUID?.() ?? `${Date.now()}-${Math.random().toString(16).slice(2)}`;

/** Connect to a kernel that may be busy; fails where it has no subshells. */
export async function reachBusyKernel(kernelId: string, server: ServerLike, patience: number): Promise<KernelLike & { close(): void }> {
  const session = id();
  const token = server.appendToken && server.token ? `&token=${encodeURIComponent(server.token)}` : '';
  const socket = new server.WebSocket(
    `${server.wsUrl}api/kernels/${encodeURIComponent(kernelId)}/channels?session_id=${session}${token}`
  );
  socket.binaryType = 'arraybuffer';
  const comms = new Map<string, CommLike & { heard(message: Message): void }>();

  const send = (channel: string, type: string, content: Record<string, unknown>, subshell?: string): string => {
    const header = {
      msg_id: id(),
      msg_type: type,
      session,
      username: '',
      date: new Date().toISOString(),
      version: '5.4',
      ...(subshell ? { subshell_id: subshell } : {})
    };
    socket.send(JSON.stringify({ channel, header, parent_header: {}, metadata: {}, content, buffers: [] }));
    return header.msg_id;
  };

  const subshell = await new Promise<string>((resolve, reject) => {
    let asked = '';
    const timer = setTimeout(() => reject(new Error('The kernel does not answer.')), patience);
    socket.onopen = () => (asked = send('control', 'create_subshell_request', {}));
    socket.onerror = () => reject(new Error('The kernel cannot be reached.'));
    socket.onmessage = event => {
      const message = read(event.data);
      if (asked && message?.parent_header.msg_id === asked && message.header.msg_type === 'create_subshell_reply') {
        clearTimeout(timer);
        if (typeof message.content.subshell_id === 'string') {
          resolve(message.content.subshell_id);
        } else {
          reject(new Error('This kernel has no subshells.'));
        }
      }
    };
  }).catch(problem => {
    socket.close();
    throw problem;
  });

  socket.onmessage = event => {
    const message = read(event.data);
    const comm = comms.get(String(message?.content.comm_id));
    if (message?.header.msg_type === 'comm_msg') {
      comm?.heard(message as unknown as Message);
    }
  };
  const done = { done: Promise.resolve() };
  return {
    id: kernelId,
    supportsSubshells: true,
    info: Promise.resolve(),
    createComm(target) {
      const comm_id = id();
      const comm: CommLike & { heard(message: Message): void } = {
        open: data => (send('shell', 'comm_open', { comm_id, target_name: target, data: data as object }, subshell), done),
        send: data => (send('shell', 'comm_msg', { comm_id, data: data as object }, subshell), done),
        heard: message => (comm.onMsg as ((message: Message) => void) | undefined)?.(message),
        close: () => {
          comms.delete(comm_id);
          // Over the main shell: the subshell may be gone before it has read this.
          send('shell', 'comm_close', { comm_id, data: {} });
        }
      };
      comms.set(comm_id, comm);
      return comm;
    },
    close() {
      if (socket.readyState === socket.OPEN) {
        send('control', 'delete_subshell_request', { subshell_id: subshell });
      }
      socket.close();
    }
  };
}

/** A message of Jupyter's older socket protocol: JSON, or JSON and its buffers behind a table of offsets. */
function read(data: unknown): Wire | undefined {
  try {
    if (typeof data === 'string') {
      return JSON.parse(data) as Wire;
    }
    const view = new DataView(data as ArrayBuffer);
    const count = view.getUint32(0);
    const offsets = Array.from({ length: count }, (_, i) => view.getUint32(4 * (i + 1)));
    const part = (i: number) => (data as ArrayBuffer).slice(offsets[i], offsets[i + 1] ?? view.byteLength);
    const message = JSON.parse(new TextDecoder().decode(part(0))) as Wire;
    return { ...message, buffers: offsets.slice(1).map((_, i) => part(i + 1)) };
  } catch {
    return undefined;
  }
}
