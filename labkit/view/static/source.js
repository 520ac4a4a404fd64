// What one page knows of a live panel, however often the panel is shown there, and its wire to the kernel: that somebody
// looks, what there is to be seen, and limits that are to be changed.

import { Meters } from "./meters.js";

const BEAT = 5000; // labkit.view.feed gives up after three

export function source(model) {
  const meters = new Meters(model.get("hz"), model.get("minutes"));
  const views = new Set();
  const waiting = new Map();
  let [beat, asked] = [null, 0];

  function attend() {
    const here = views.size > 0 && !document.hidden;
    if (here && beat === null) {
      model.send({ op: "hello", have: meters.have });
      beat = setInterval(() => model.send({ op: "here", have: meters.have }), BEAT);
    } else if (!here && beat !== null) {
      clearInterval(beat);
      beat = null;
    }
    if (!views.size) model.send({ op: "bye" });
  }

  function hear(message, buffers) {
    if (message?.events) {
      const fresh = meters.take(message, buffers[0]);
      for (const view of views) view.news(fresh);
    } else if (message?.done !== undefined) {
      waiting.get(message.done)?.(message.error);
      waiting.delete(message.done);
    }
  }

  /** Set a limit; resolves to what went wrong, or null. */
  const ask = (of, name, value) => new Promise((done) => {
    asked += 1;
    const id = `${Math.random().toString(36).slice(2, 8)}-${asked}`;
    waiting.set(id, done);
    model.send({ op: "limit", of, name, value, id });
  });

  model.on("msg:custom", hear);
  document.addEventListener("visibilitychange", attend);
  const close = () => {
    clearInterval(beat);
    document.removeEventListener("visibilitychange", attend);
    model.off("msg:custom", hear);
  };
  const enter = (view) => {
    views.add(view);
    attend();
  };
  const leave = (view) => {
    views.delete(view);
    attend();
  };
  return { meters, ask, enter, leave, close };
}
