'use strict';
// A front in this process, as the transport of a client of `@modelcontextprotocol/sdk`.

const { Events } = require('./events.js');
const { TwinError } = require('./error.js');
const { abortable, call, hold, make, outcome, release, sendNow, usage } = require('./link.js');
const { orderOf } = require('./order.js');

/** What every front in this process can do. */
class Front extends Events {
  #order;
  #number;
  #begun;
  #ended;
  #isOver = false;
  #says;

  constructor(order) {
    super();
    this.#order = order;
  }

  /** Begins; a second call joins the first. */
  begin() {
    this.#begun ??= this.#begin();
    return this.#begun;
  }

  async #begin() {
    let over;
    this.#ended = new Promise((resolve) => (over = resolve));
    const end = () => {
      if (this.#isOver) return;
      this.#isOver = true;
      release();
      this.tell({ type: 'close' });
      this.over();
      this.onEnd();
      over();
    };
    hold();
    const { number, made } = make(this.#order, {
      message: (text) => this.onText(text),
      event: (event) => this.tell(event),
      ended: end,
    });
    this.#number = number;
    try {
      this.#says = await made;
    } catch (error) {
      end();
      throw error;
    }
    return this.#says;
  }

  /** For the transport. */
  onText() {}

  /** For the transport. */
  onEnd() {}

  /** The front's id, as `mcp-twin status --json` shows it, once it has begun. */
  get id() {
    return this.#says?.id;
  }

  /** The server's name, as other commands know it, once it has begun. */
  get server() {
    return this.#says?.server;
  }

  /** Where clients reach it, over HTTP. */
  get url() {
    return this.#says?.url;
  }

  /** Whether it has ended. */
  get closed() {
    return this.#isOver;
  }

  /** The number by which the addon knows it. */
  async number() {
    if (this.#isOver) throw ended();
    if (!this.#begun) throw usage('the front has not begun', 'connect a client to it first, or call start()');
    await this.#begun;
    if (this.#isOver) throw ended();
    return this.#number;
  }

  /** For the transport: the number, if it has begun. */
  get numberNow() {
    return this.#says && !this.#isOver ? this.#number : undefined;
  }

  /** Waits for the first start of the server; rejects if it cannot start. */
  async ready({ signal } = {}) {
    return outcome(await abortable(this.number().then((number) => call('first', number)), signal));
  }

  async ask(ask, { signal } = {}) {
    signal?.throwIfAborted();
    return abortable(this.number().then((number) => call('ask', number, JSON.stringify(ask))), signal);
  }

  /** Starts a fresh twin and verifies it. It serves if the options say so, else by `swap()`. */
  async reload(options) {
    return outcome(await this.ask('reload', options));
  }

  /** Makes the newest code serve. */
  async swap({ force = false, ...options } = {}) {
    return outcome(await this.ask({ swap: { force } }, options));
  }

  /** Goes back to the generation before, or to this one. */
  async rollback({ to, ...options } = {}) {
    return outcome(await this.ask({ rollback: { to: to ?? null } }, options));
  }

  /** Everything about it. */
  async status(options) {
    return this.ask('status', options);
  }

  /** The last lines of its log and of its twins' stderr. */
  async logs({ lines = 100, signal } = {}) {
    const { log } = await this.status({ signal });
    return abortable(call('logs', log, lines), signal);
  }

  /** Ends it and its twins; resolves when they are gone. */
  async close() {
    if (!this.#begun || this.#isOver) return;
    try {
      await this.#begun;
    } catch {
      return;
    }
    await call('close', this.#number);
    await this.#ended;
  }

  async [Symbol.asyncDispose ?? Symbol.for('Symbol.asyncDispose')]() {
    await this.close();
  }
}

/** A front over stdio whose client is in this process: a `Transport`. */
class FrontTransport extends Front {
  onclose;
  onerror;
  onmessage;
  sessionId;
  #started = false;
  #protocol;
  #queue = Promise.resolve();
  #queued = 0;
  #signal;

  constructor(order, signal) {
    super(order);
    this.#signal = signal;
  }

  /** Starts the front; `client.connect(front)` calls it. */
  async start() {
    if (this.#started) throw usage('the front was started already; `client.connect` does that by itself');
    this.#started = true;
    const signal = this.#signal;
    signal?.throwIfAborted();
    if (signal) {
      const close = () => void this.close();
      signal.addEventListener('abort', close, { once: true });
      this.once('close', () => signal.removeEventListener('abort', close));
    }
    await this.begin();
    signal?.throwIfAborted();
  }

  /** Sends one message. */
  async send(message) {
    const line = JSON.stringify(message);
    if (this.#queued === 0) {
      const number = this.numberNow;
      if (number !== undefined && sendNow(number, line)) return;
    }
    // There is no room: in order, behind what waits already.
    this.#queued += 1;
    const sent = this.#queue.then(async () => call('send', await this.number(), line));
    this.#queue = sent.catch(() => {}).then(() => void (this.#queued -= 1));
    await sent;
  }

  setProtocolVersion(version) {
    this.#protocol = version;
  }

  /** The version that client and server have agreed on. */
  get protocolVersion() {
    return this.#protocol;
  }

  onText(text) {
    let message;
    try {
      message = JSON.parse(text);
    } catch (error) {
      this.onerror?.(error);
      return;
    }
    this.onmessage?.(message);
  }

  onEnd() {
    this.onclose?.();
  }
}

function ended() {
  return new TwinError({ code: 'twin::stopped', message: 'the front has ended', help: 'make a new one with createFront()' });
}

/** A front in this process before a server over stdio: a `Transport` for a client in this process. */
function createFront(options) {
  return new FrontTransport(orderOf('client', options), options.signal);
}

module.exports = { Front, FrontTransport, createFront };
