/// <reference types="node" />
import type { EventEmitter } from 'node:events';

/** The version of mcp-twin. */
export const version: string;

/** A server that a client of this machine starts by a command. */
export interface MCPServerConfig {
  /** Its name in the configuration. */
  name: string;
  /** The program. */
  command: string;
  /** Its arguments. */
  args: string[];
  /** The script that it runs, if it runs one. */
  scriptPath: string | null;
  /** Where it is started, where the configuration says so. */
  cwd: string | null;
  /** Names of the variables that its entry sets; their values are not told. */
  envNames: string[];
  /** The client whose entry counts, such as `claude-code`. */
  client: string;
  /** The file of that entry. */
  file: string;
  /** Whether it runs through mcp-twin. */
  twinned: boolean;
}

/** The servers that the clients of this machine start by a command, each once. Reads files; starts nothing. */
export function detectMCPServers(options?: { project?: string }): MCPServerConfig[];

/** The script that a server's command runs, if it runs one. */
export function extractScriptPath(config: { command: string; args?: string[]; cwd?: string }): string | undefined;

/** The 32-bit string hash (`h * 31 + c`) by which ports are found, as an absolute value. */
export function hashCode(text: string): number;

/** The ports of the twins of a server of this name, where nothing is in their way. */
export function assignPorts(name: string): [number, number];

/** Something that did not work. An aborted call rejects with the signal's own reason instead. */
export class TwinError extends Error {
  constructor(trouble: { code: string; message: string; help?: string; stderrTail?: string });
  /** Stays the same between releases, such as `twin::spawn::exited_early`. */
  readonly code: string;
  /** What to do about it, where there is something to do. */
  readonly help?: string;
  /** The last that the server wrote to its stderr, at most 32 KB. */
  readonly stderrTail: string;
}

/** Where files, a state directory and a command stand. */
export interface ServerOptions {
  /** The program that starts the server, or the whole command line. */
  command: string | string[];
  /** Its arguments. */
  args?: string[];
  /** Variables beside those of this process. */
  env?: Record<string, string | undefined>;
  /** Where it runs; else here. */
  cwd?: string;
  /** Its name, as `mcp-twin status` shows it; else made of folder and script. */
  name?: string;
  /** The files that the server is made of, where its command does not say it. */
  watch?: string[];
  /** Globs of files that do not count. */
  ignore?: string[];
  /** Whether a save of these files reloads by itself; by default it does not. */
  watchFiles?: boolean;
  /** Options of `mcp-twin run` by their names, with values as on the command line: `{ promote: 'manual', startTimeout: '20s' }`. */
  options?: Record<string, string | number | boolean | string[]>;
  /** The state directory; else `$MCP_TWIN_HOME` or `~/.mcp-twin`. */
  home?: string;
  /** A state directory that nobody else sees and that goes with the front. */
  private?: boolean;
}

/** A server that a manager starts. */
export interface ManagedServerOptions extends ServerOptions {
  /** How the server is spoken to; by default `http` where its command or its variables ask for a `{port}`. */
  transport?: 'stdio' | 'http';
  /** The path of its endpoint: here, and at a server over HTTP. Default `/mcp`. */
  path?: string;
  /** The port of the address that stays; else one that is free. */
  port?: number;
}

/** A call that can be given up. What it began in a front goes on. */
export interface Abortable {
  signal?: AbortSignal;
}

/** Code as it was numbered for a server. */
export interface Source {
  hash: string | null;
  generation: number;
}

/** One running instance of a server. */
export interface TwinView {
  twin: number;
  slot: string;
  source: Source;
  pid: number | null;
  port: number | null;
}

/** What came of a command. What did not work is a rejection. */
export type Outcome =
  | { outcome: 'started'; active: TwinView }
  | { outcome: 'verified'; active: TwinView | null; standby: TwinView; report: Record<string, unknown>; changes: string }
  | { outcome: 'swapped'; previous: TwinView | null; active: TwinView; diff: Record<string, unknown>; changes: string }
  | { outcome: 'nothingNewer'; active: TwinView }
  | { outcome: 'rolledBack'; left: TwinView | null; active: TwinView; why: null }
  | { outcome: 'stopped'; ended?: TwinView[] }
  | { outcome: 'superseded' };

/** Everything about a front, as `mcp-twin status --json` says it. */
export interface FrontStatus {
  release: string;
  front: string;
  server: string;
  display: string | null;
  root: string;
  command: string[];
  cwd: string;
  transport: 'stdio' | 'http';
  stdioTwins: boolean;
  pid: number;
  started: number;
  swap: {
    state: string;
    active: TwinView | null;
    standby: [TwinView, string] | null;
    prev: TwinView | null;
    warm: TwinView | null;
    warmReady: boolean;
    retiring: TwinView[];
    baking: boolean;
    swaps: number;
    [more: string]: unknown;
  };
  client: string | null;
  protocol: string | null;
  url: string | null;
  sessions: number | null;
  inFlight: number;
  held: number;
  watched: number | null;
  warnings: string[];
  log: string | null;
  stderrTail: string;
  [more: string]: unknown;
}

/** What happens to a front. */
export type FrontEvent =
  | { type: 'started'; generation: number }
  | { type: 'swap'; previous: number; generation: number; changes: string; breaking: string[] }
  | { type: 'reload'; generation: number; breaking: string[] }
  | { type: 'failed'; generation: number; error: TwinError }
  | { type: 'rolledBack'; previous: number; generation: number; error: TwinError | null }
  | { type: 'crashed'; generation: number; error: TwinError }
  | { type: 'down'; error: TwinError }
  | { type: 'log'; line: string; twin?: string }
  | { type: 'missed'; count: number }
  | { type: 'close' };

type EventMap<E extends { type: string }> = { [T in E['type']]: [event: Extract<E, { type: T }>] };

/** Events, for `on(…)` and for `for await`. */
interface Told<E extends { type: string }> extends EventEmitter<EventMap<E>>, AsyncIterable<E> {
  /** The events from now on, until the end or the signal. A loop that is too slow misses the oldest, and is told so. */
  events(options?: Abortable): AsyncIterableIterator<E>;
  [Symbol.asyncIterator](): AsyncIterableIterator<E>;
}

/** A message of JSON-RPC. */
export type JSONRPCMessage = any;

/** A front in this process before a server over stdio: the transport of a client in this process. */
export interface Front extends Told<FrontEvent> {
  /** Begins; `client.connect(front)` calls it. */
  start(): Promise<void>;
  /** Sends one message. */
  send(message: JSONRPCMessage, options?: unknown): Promise<void>;
  /** Ends the front and its twins; resolves when they are gone. */
  close(): Promise<void>;
  onclose?: () => void;
  onerror?: (error: Error) => void;
  onmessage?: (message: any, extra?: any) => void;
  sessionId?: string;
  setProtocolVersion(version: string): void;
  /** The version that client and server have agreed on. */
  readonly protocolVersion: string | undefined;
  /** Its id, once it has begun. */
  readonly id: string | undefined;
  /** The server's name as other commands know it, once it has begun. */
  readonly server: string | undefined;
  /** Whether it has ended. */
  readonly closed: boolean;
  /** Waits for the first start of the server; rejects if it cannot start. */
  ready(options?: Abortable): Promise<Outcome>;
  /** Starts a fresh twin and verifies it, beside the one that serves. */
  reload(options?: Abortable): Promise<Outcome>;
  /** Makes the newest code serve. */
  swap(options?: Abortable & { force?: boolean }): Promise<Outcome>;
  /** Goes back to the generation before, or to this one. */
  rollback(options?: Abortable & { to?: number }): Promise<Outcome>;
  status(options?: Abortable): Promise<FrontStatus>;
  /** The last lines of its log and of its twins' stderr. */
  logs(options?: Abortable & { lines?: number }): Promise<string[]>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** A front in this process before a server over stdio, for a client of `@modelcontextprotocol/sdk`. The signal ends it. */
export function createFront(options: ServerOptions & Abortable): Front;

/** A server that a manager owns. */
export interface RunningServer {
  name: string;
  command: string;
  args: string[];
  scriptPath: string | undefined;
  url: string;
  front: string;
}

/** One line of a server's history. */
export interface HistoryLine {
  time: string;
  ms: number;
  front: string;
  file?: string;
  entry: Record<string, unknown>;
}

/** An event of one of a manager's servers. */
export type ManagerEvent = FrontEvent & { server: string };

/** Servers by their names: those that this process owns, and those whose fronts run elsewhere on the machine. */
export class TwinManager {
  constructor(options?: {
    /** The servers that can be started by their names; others are looked for in the configurations of this machine's clients. */
    servers?: Record<string, ManagedServerOptions>;
    home?: string;
    private?: boolean;
    watchFiles?: boolean;
    /** The folder from which clients' configurations are seen. */
    project?: string;
  });
  /** Starts twins of a server in this process, behind one address that stays. Resolves when it serves. */
  start(name: string, server?: ManagedServerOptions, options?: Abortable): Promise<FrontStatus>;
  /** Ends a server: one of this process, else the fronts of that name on the machine. */
  stop(name: string, options?: Abortable): Promise<Outcome>;
  /** Ends all servers of this process. */
  stopAll(): Promise<void>;
  /** Starts a fresh twin of a server and verifies it, beside the one that serves. */
  reloadStandby(name: string, options?: Abortable): Promise<Outcome>;
  swap(name: string, options?: Abortable & { force?: boolean }): Promise<Outcome>;
  rollback(name: string, options?: Abortable & { to?: number }): Promise<Outcome>;
  status(name: string, options?: Abortable): Promise<FrontStatus>;
  /** All that run, here and elsewhere on the machine. */
  status(name?: undefined, options?: Abortable): Promise<FrontStatus[]>;
  /** The servers that this process owns. */
  getRunningServers(): RunningServer[];
  /** What happened to a server, the oldest first. */
  history(name: string, options?: Abortable & { limit?: number }): Promise<HistoryLine[]>;
  /** The last lines of a server's logs. */
  logs(name: string, options?: Abortable & { lines?: number }): Promise<string[]>;
  /** `stopAll`, and the end of its events. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}
export interface TwinManager extends Told<ManagerEvent> {}

/** What a watcher asks. */
export interface SwapQuestion {
  server: string;
  generation: number;
  message: string;
}

/** What a watcher did. */
export type WatcherEvent =
  | { type: 'reload'; server: string; reloaded: Outcome }
  | { type: 'swap'; server: string; swapped: Outcome }
  | { type: 'failed'; server: string; error: Error };

/** Watches scripts and reloads what was saved. */
export interface FileWatcher extends Told<WatcherEvent> {
  /** Watches nothing any more; resolves when what was begun is over. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Watches the scripts of the servers that this manager runs now. A save reloads; if the new code is well, `onSwapPrompt` is
 * asked whether it is to serve. Without it nothing is ever swapped.
 */
export function setupFileWatcher(
  manager: TwinManager,
  options?: { onSwapPrompt?: (question: SwapQuestion) => boolean | Promise<boolean>; quiet?: number },
): FileWatcher;
