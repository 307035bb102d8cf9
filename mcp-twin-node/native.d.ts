/* What the Rust part exports; made by `cargo xtask dts`. */

/** The fronts of one environment. When it goes they end. */
export declare class Link {
  /** A link that tells `told(kind, number, text)` everything. */
  constructor(told: (arg0: number, arg1: number, arg2: string) => void)
  /** Makes the front that is ordered; `call` is its number from then on. */
  begin(call: number, order: string): void
  /** Sends a message of its client's to a front, if it can go at once; whether it went. Else `send` is to be used. */
  sendNow(front: number, line: string): boolean
  /** Sends a message of its client's to a front, once there is room. */
  send(call: number, front: number, line: string): void
  /** Waits for what came of the first start of a front's server. */
  first(call: number, front: number): void
  /** Asks a front: `ask` as in the control protocol. */
  ask(call: number, front: number, ask: string): void
  /** Ends a front, and answers when it has ended. */
  close(call: number, front: number): void
  /** What starts the server of this name, by a client's configuration. */
  starts(call: number, name: string, project?: string | undefined | null): void
  /** The fronts of the machine that run. */
  running(call: number, server?: string | undefined | null, directory?: string | undefined | null): void
  /** Asks a front of the machine, as `running` gave it. */
  askOther(call: number, front: string, ask: string, deadlineMs: number): void
  /** The last that happened to a server. */
  history(call: number, server: string, last: number, directory?: string | undefined | null): void
  /** The last lines of the logs in a folder. */
  logs(call: number, folder: string, last: number): void
}

/** The ports that the twins of a server of this name get, where nothing is in their way. */
export declare function assignPorts(name: string): [number, number]

/** The servers that clients start by a command on this machine, seen from a project (else from here), as JSON. */
export declare function detectMcpServers(project?: string | undefined | null): string

/** The script that a command runs when it is started in `cwd` (else here), if it runs one. */
export declare function extractScriptPath(command: string, args: Array<string>, cwd?: string | undefined | null): string | null

/** The hash by which a server's ports are found. */
export declare function hashCode(name: string): number

/** The version of mcp-twin. */
export declare function version(): string
