'use strict';
// Events for `on(…)` and for `for await`.

const { EventEmitter } = require('node:events');
const { TwinError } = require('./error.js');

/** So many events wait for a loop that is slow; the oldest go first, and the loop is told how many. */
const WAITING = 1024;

class Events extends EventEmitter {
  #streams = new Set();
  #over = false;

  /** Tells listeners and loops. An `error` in an event is a `TwinError`. */
  tell(event) {
    if (event.error && !(event.error instanceof Error)) event = { ...event, error: new TwinError(event.error) };
    this.emit(event.type, event);
    for (const stream of this.#streams) stream.push(event);
  }

  /** The last event was told. */
  over() {
    this.#over = true;
    for (const stream of this.#streams) stream.end();
    this.#streams.clear();
  }

  /** The events from now on; ends with the front, or with the signal. */
  events({ signal } = {}) {
    const stream = new Stream(() => this.#streams.delete(stream));
    if (this.#over || signal?.aborted) stream.end();
    else {
      this.#streams.add(stream);
      signal?.addEventListener('abort', () => stream.return(), { once: true });
    }
    return stream;
  }

  [Symbol.asyncIterator]() {
    return this.events();
  }
}

class Stream {
  #queue = [];
  #waiting = [];
  #missed = 0;
  #ended = false;
  #leave;

  constructor(leave) {
    this.#leave = leave;
  }

  push(event) {
    const waiting = this.#waiting.shift();
    if (waiting) return waiting({ value: event, done: false });
    if (this.#queue.push(event) > WAITING) {
      this.#queue.shift();
      this.#missed += 1;
    }
  }

  end() {
    this.#ended = true;
    for (const waiting of this.#waiting.splice(0)) waiting({ value: undefined, done: true });
  }

  async next() {
    if (this.#missed > 0) {
      const count = this.#missed;
      this.#missed = 0;
      return { value: { type: 'missed', count }, done: false };
    }
    if (this.#queue.length > 0) return { value: this.#queue.shift(), done: false };
    if (this.#ended) return { value: undefined, done: true };
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  async return() {
    this.#queue.length = 0;
    this.#missed = 0;
    this.end();
    this.#leave();
    return { value: undefined, done: true };
  }

  [Symbol.asyncIterator]() {
    return this;
  }
}

module.exports = { Events };
