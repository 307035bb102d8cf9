'use strict';
// Calls into the addon and what comes back: promises, messages, events. One link for each environment of JavaScript.

const native = require('./native.js');
const { TwinError, troubleFrom } = require('./error.js');

const ANSWER = 0;
const TROUBLE = 1;
const MESSAGE = 2;
const EVENT = 3;

const calls = new Map();
const fronts = new Map();
let last = 0;
let link;

// What waits for an answer, or has a client, keeps the process alive, as a child process or a socket would.
let holds = 0;
let timer;

function hold() {
  if (holds++ === 0) timer = setInterval(() => {}, 0x7fffffff);
}

function release() {
  if (--holds === 0) clearInterval(timer);
}

function told(kind, number, text) {
  if (kind === ANSWER || kind === TROUBLE) {
    const call = calls.get(number);
    if (!call) return;
    calls.delete(number);
    release();
    if (kind === ANSWER) call.resolve(text === '' ? undefined : camel(JSON.parse(text)));
    else call.reject(troubleFrom(text));
    return;
  }
  const front = fronts.get(number);
  if (!front) return;
  if (kind === MESSAGE) front.message(text);
  else if (kind === EVENT) front.event(eventFrom(text));
  else {
    fronts.delete(number);
    front.ended();
  }
}

function linked() {
  link ??= new native.Link(told);
  return link;
}

/** Calls the addon; the answer is a promise, and `number` names what was made by it. */
function call(method, ...args) {
  const number = (last = (last + 1) >>> 0);
  const promise = new Promise((resolve, reject) => calls.set(number, { resolve, reject }));
  hold();
  try {
    linked()[method](number, ...args);
  } catch (error) {
    calls.delete(number);
    release();
    throw error;
  }
  promise.number = number;
  return promise;
}

/** Makes a front; `hears` is told of its messages, its events, and its end, whatever becomes of the promise. */
function make(order, hears) {
  const promise = call('begin', JSON.stringify(order));
  const { number } = promise;
  fronts.set(number, hears);
  promise.catch(() => fronts.delete(number));
  return { number, made: promise };
}

/** Sends a message if it can go at once. */
function sendNow(front, line) {
  return linked().sendNow(front, line);
}

/** The promise, given up when the signal says so. */
function abortable(promise, signal, abandon) {
  if (!signal) return promise;
  return new Promise((resolve, reject) => {
    const aborted = () => {
      abandon?.();
      // What comes of it later interests nobody.
      promise.catch(() => {});
      reject(signal.reason);
    };
    if (signal.aborted) return aborted();
    signal.addEventListener('abort', aborted, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', aborted));
  });
}

/** `snake_case` keys as JavaScript spells them. No answer has keys that are data. */
function camel(value) {
  if (Array.isArray(value)) return value.map(camel);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, one]) => [camelWord(key), camel(one)]),
  );
}

/** What JavaScript's listeners have always been told under other words. */
const EVENTS = { swapped: 'swap', waiting: 'reload' };

function eventFrom(text) {
  const { type, ...rest } = camel(JSON.parse(text));
  return { type: EVENTS[type] ?? camelWord(type), ...rest };
}

/** An outcome, whose word is spelled as JavaScript does: `{ outcome: 'rolledBack', active, … }`. */
function outcome(told) {
  return { ...told, outcome: camelWord(told.outcome) };
}

function camelWord(word) {
  return word.replace(/_([a-z])/g, (_, letter) => letter.toUpperCase());
}

function usage(message, help) {
  return new TwinError({ code: 'twin::usage', message, help });
}

module.exports = { abortable, call, camel, hold, make, outcome, release, sendNow, usage };
