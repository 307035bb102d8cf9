'use strict';
// A save of a server's script reloads it, and somebody is asked whether the new code is to serve.

const fs = require('node:fs');
const path = require('node:path');
const { Events } = require('./events.js');
const { usage } = require('./link.js');

/** So long nothing more may be written before a save counts as done. */
const QUIET = 100;

class FileWatcher extends Events {
  #manager;
  #prompt;
  #watches = [];
  #jobs = new Set();
  #closed = false;

  constructor(manager, prompt) {
    super();
    this.#manager = manager;
    this.#prompt = prompt;
  }

  watch(server, file, quiet) {
    const state = { timer: undefined, again: false, busy: false };
    // The folder: editors put another file in the place of the old one.
    const watch = fs.watch(path.dirname(file), (_, name) => {
      if (name !== null && name !== path.basename(file)) return;
      clearTimeout(state.timer);
      state.timer = setTimeout(() => this.#saved(server, state), quiet);
    });
    watch.on('error', (error) => this.tell({ type: 'failed', server, error }));
    this.#watches.push({ watch, state });
  }

  #saved(server, state) {
    // One at a time: what is saved meanwhile is taken afterwards.
    if (state.busy) {
      state.again = true;
      return;
    }
    state.busy = true;
    const job = this.#take(server).finally(() => {
      this.#jobs.delete(job);
      state.busy = false;
      if (state.again && !this.#closed) {
        state.again = false;
        this.#saved(server, state);
      }
    });
    this.#jobs.add(job);
  }

  async #take(server) {
    try {
      const reloaded = await this.#manager.reloadStandby(server);
      this.tell({ type: 'reload', server, reloaded });
      if (reloaded.outcome !== 'verified' || this.#closed) return;
      const question = { server, generation: reloaded.standby.source.generation, message: `${server} updated. Swap to new version?` };
      if ((await this.#prompt(question)) && !this.#closed) {
        this.tell({ type: 'swap', server, swapped: await this.#manager.swap(server) });
      }
    } catch (error) {
      this.tell({ type: 'failed', server, error });
    }
  }

  /** Watches nothing any more; resolves when what was begun is over. */
  async close() {
    if (this.#closed) return;
    this.#closed = true;
    for (const { watch, state } of this.#watches) {
      clearTimeout(state.timer);
      watch.close();
    }
    await Promise.all(this.#jobs);
    this.over();
  }

  async [Symbol.asyncDispose ?? Symbol.for('Symbol.asyncDispose')]() {
    await this.close();
  }
}

/** Watches the scripts of the servers that this manager runs now. */
function setupFileWatcher(manager, { onSwapPrompt = () => false, quiet = QUIET } = {}) {
  if (typeof onSwapPrompt !== 'function') throw usage('`onSwapPrompt` is a function');
  const watcher = new FileWatcher(manager, onSwapPrompt);
  for (const { name, scriptPath } of manager.getRunningServers()) {
    if (scriptPath) watcher.watch(name, scriptPath, quiet);
  }
  return watcher;
}

module.exports = { FileWatcher, setupFileWatcher };
