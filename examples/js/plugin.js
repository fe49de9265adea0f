// Louder or softer, in JavaScript. An interface of the contract is an export of the module, in camel
// case; a `result` is a return value, or an error thrown.

import { getAll } from "trackmill:plugin/config@0.1.0";

export const plugin = {
  describe: () => ({
    name: "gain-js",
    version: "0.1.0",
    wants: { sampleFormat: "float32" },
    kinds: ["audio"],
    latencySamples: 0,
  }),
};

class Session {
  static open(track, format) {
    const gainDb = JSON.parse(getAll()).gain_db;
    if (typeof gainDb !== "number") throw { tag: "config", val: "gain_db: must be a number" };
    const session = new Session();
    session.factor = 10 ** (gainDb / 20);
    return session;
  }

  process(frame) {
    const samples = frame.samples.val.map((sample) => sample * this.factor);
    return { tag: "replace", val: { tag: "float32", val: samples } };
  }

  onEvent(event) {
    return { tag: "pass" };
  }

  finish() {}
}

export const trackTransformer = { Session };
