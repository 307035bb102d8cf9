'use strict';

/** Something that did not work: what happened (`message`), a code that stays the same, what to do, what the server said. */
class TwinError extends Error {
  constructor({ code, message, help, stderrTail }) {
    super(message);
    this.code = code;
    this.help = help ?? undefined;
    this.stderrTail = stderrTail ?? '';
  }

  get name() {
    return 'TwinError';
  }
}

/** The error behind a text of the addon. */
function troubleFrom(text) {
  const { stderr_tail: stderrTail, ...rest } = JSON.parse(text);
  return new TwinError({ ...rest, stderrTail });
}

/** What the addon throws says the trouble in its text. */
function thrown(call) {
  try {
    return call();
  } catch (error) {
    let trouble;
    try {
      trouble = troubleFrom(error.message);
    } catch {
      throw error;
    }
    throw trouble;
  }
}

module.exports = { TwinError, troubleFrom, thrown };
