'use strict';
// Servers by their names: those that this process owns, and those whose fronts run elsewhere on the machine.

const { Events } = require('./events.js');
const { Front } = require('./front.js');
const { TwinError } = require('./error.js');
const { abortable, call, outcome, usage } = require('./link.js');
const { extractScriptPath } = require('./machine.js');
const { orderOf, transportOf } = require('./order.js');

/** How long a front of the machine may work on a command. */
const PATIENCE = 180_000;

class TwinManager extends Events {
  #own = new Map();
  #servers;
  #home;
  #private;
  #watch;
  #project;

  constructor({ servers = {}, home, private: own = false, watchFiles = false, project } = {}) {
    super();
    this.#servers = servers;
    this.#home = home;
    this.#private = own;
    this.#watch = watchFiles;
    this.#project = project;
  }

  /** Starts twins of a server in this process, behind one address that stays. Resolves when it serves. */
  async start(name, server, { signal } = {}) {
    signal?.throwIfAborted();
    if (typeof name !== 'string' || name === '') throw usage('a server has a name');
    if (this.#own.has(name)) {
      throw new TwinError({ code: 'twin::server::running', message: `\`${name}\` runs already`, help: `stop('${name}') ends it; reloadStandby('${name}') takes new code` });
    }
    // Taken at once: two starts of one name are one too many.
    const entry = { name, front: undefined, spec: undefined };
    this.#own.set(name, entry);
    let front;
    try {
      const spec = server ?? this.#servers[name] ?? (await this.#configured(name));
      const given = { home: this.#home, private: this.#private, watchFiles: this.#watch, ...spec, name };
      front = new Front(orderOf(transportOf(spec), given));
      Object.assign(entry, { front, spec });
      front.on('close', () => this.#own.get(name) === entry && this.#own.delete(name));
      this.#listen(name, front);
      await abortable(front.begin(), signal);
      await front.ready({ signal });
      return await front.status({ signal });
    } catch (error) {
      await front?.close();
      if (this.#own.get(name) === entry) this.#own.delete(name);
      throw error;
    }
  }

  async #configured(name) {
    const { command, cwd, env } = await call('starts', name, this.#project).catch((error) => {
      if (error.code === 'twin::server::unknown') error.help += `: start('${name}', { command: 'python', args: ['server.py'] })`;
      throw error;
    });
    const [program, ...args] = command;
    return { command: program, args, cwd: cwd ?? undefined, env: Object.fromEntries(env) };
  }

  #listen(name, front) {
    for (const type of ['started', 'swap', 'reload', 'failed', 'rolledBack', 'crashed', 'down', 'log', 'missed', 'close']) {
      front.on(type, (event) => this.tell({ server: name, ...event }));
    }
  }

  /** Ends a server: one of this process, else the fronts of that name on the machine. */
  async stop(name, { signal } = {}) {
    const own = this.#mine(name);
    if (own) {
      await abortable(own.front.close(), signal);
      return { outcome: 'stopped' };
    }
    return outcome(await this.#elsewhere(name, 'stop', signal));
  }

  /** Ends all servers of this process. Those of others go on. */
  async stopAll() {
    const fronts = [...this.#own.values()].map(({ front }) => front).filter(Boolean);
    await Promise.all(fronts.map((front) => front.close()));
  }

  /** Starts a fresh twin of a server and verifies it, beside the one that serves. */
  async reloadStandby(name, { signal } = {}) {
    return outcome(await this.#ask(name, 'reload', signal));
  }

  /** Makes the newest code of a server serve. */
  async swap(name, { force = false, signal } = {}) {
    return outcome(await this.#ask(name, { swap: { force } }, signal));
  }

  /** Goes back to the generation before, or to this one. */
  async rollback(name, { to, signal } = {}) {
    return outcome(await this.#ask(name, { rollback: { to: to ?? null } }, signal));
  }

  /** All about one server; without a name, about all that run: here and elsewhere on the machine. */
  async status(name, { signal } = {}) {
    if (name !== undefined) return this.#ask(name, 'status', signal);
    const own = await Promise.all(this.#fronts().map(({ front }) => front.status({ signal })));
    const mine = new Set(own.map((one) => one.front));
    const others = (await this.#running(undefined, signal)).filter(({ front }) => !mine.has(front));
    const asked = await Promise.allSettled(others.map((front) => this.#askOther(front, 'status', signal)));
    // One that ended meanwhile, or hangs, is not what was asked for.
    return [...own, ...asked.filter(({ status }) => status === 'fulfilled').map(({ value }) => value)];
  }

  /** The servers that this process owns. */
  getRunningServers() {
    return this.#fronts().map(({ name, front, spec }) => {
      const { command, args = [], cwd } = spec;
      const [program, ...words] = [command, args].flat();
      return { name, command: program, args: words, scriptPath: extractScriptPath({ command: program, args: words, cwd }), url: front.url, front: front.id };
    });
  }

  /** What happened to a server, the oldest first. */
  async history(name, { limit = 20, signal } = {}) {
    const own = this.#mine(name);
    const { server, log } = own ? await own.front.status({ signal }) : {};
    // `logs/<server>` lies in the state directory, also where that is one of the front's own.
    const home = log ? require('node:path').resolve(log, '..', '..') : this.#home;
    return abortable(call('history', server ?? name, limit, home), signal);
  }

  /** The last lines of a server's logs. */
  async logs(name, { lines = 100, signal } = {}) {
    const { log } = await this.status(name, { signal });
    return abortable(call('logs', log, lines), signal);
  }

  #fronts() {
    return [...this.#own.values()].filter(({ front }) => front?.id !== undefined && !front.closed);
  }

  #mine(name) {
    const entry = this.#own.get(name);
    return entry?.front && !entry.front.closed ? entry : undefined;
  }

  async #ask(name, ask, signal) {
    signal?.throwIfAborted();
    const own = this.#mine(name);
    return own ? own.front.ask(ask, { signal }) : this.#elsewhere(name, ask, signal);
  }

  /** Every front of this name hears it; the answer is the first one's, or the first refusal. */
  async #elsewhere(name, ask, signal) {
    const fronts = await this.#running(name, signal);
    if (fronts.length === 0) {
      throw new TwinError({ code: 'twin::server::not_running', message: `no server \`${name}\` runs`, help: `start('${name}') starts it in this process; \`mcp-twin status\` shows what runs` });
    }
    const [answer] = await Promise.all(fronts.map((front) => this.#askOther(front, ask, signal)));
    return answer;
  }

  #running(name, signal) {
    return abortable(call('running', name, this.#home), signal);
  }

  #askOther(front, ask, signal) {
    return abortable(call('askOther', JSON.stringify(front), JSON.stringify(ask), PATIENCE), signal);
  }

  async close() {
    await this.stopAll();
    this.over();
  }

  async [Symbol.asyncDispose ?? Symbol.for('Symbol.asyncDispose')]() {
    await this.close();
  }
}

module.exports = { TwinManager };
