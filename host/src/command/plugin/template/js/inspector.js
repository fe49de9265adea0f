// Says where a track is too loud, in JavaScript. An interface of the contract is an export of the
// module, in camel case; a `result` is a return value, or an error thrown.

import { getAll } from "trackmill:plugin/config@0.1.0";
import { mark } from "trackmill:plugin/events@0.1.0";

export const plugin = {
  describe: () => ({
    name: "{{name}}",
    version: "0.1.0",
    wants: { sampleFormat: "float32" },
    kinds: ["audio"],
    latencySamples: 0,
  }),
};

class Session {
  static open(track, format) {
    const loudDbfs = JSON.parse(getAll()).loud_dbfs;
    if (typeof loudDbfs !== "number") throw { tag: "config", val: "loud_dbfs: must be a number" };
    const session = new Session();
    session.loudDbfs = loudDbfs;
    return session;
  }

  inspect(frame) {
    const peak = frame.samples.val.reduce((peak, sample) => Math.max(peak, Math.abs(sample)), 0);
    const dbfs = 20 * Math.log10(Math.max(peak, 1e-6));
    if (dbfs > this.loudDbfs) mark("loud", frame.meta.ptsUs, null, JSON.stringify({ dbfs }));
  }

  onEvent(event) {}

  finish() {}
}

export const trackInspector = { Session };
