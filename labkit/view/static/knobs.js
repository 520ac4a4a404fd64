// Sliders that change the limits of a container while it runs. They move over factors, and their right end is no limit.

import { h } from "./parts.js";
import { bytes, cpus, rate, whole } from "./units.js";

const END = 1000;
const WORDS = { cpu: cpus, bytes, rate, count: whole };

/** The node, and what to call when limits have changed. `ask(of, name, value)` resolves to an error or null. */
export function sliders({ names, knobs, limits, ask }) {
  const whom = names.map((_, of) => of).filter((of) => knobs[of].length);
  const rows = h("div", { class: "lv-rows" });
  const trouble = h("p", { class: "lv-trouble", role: "status", hidden: true });
  const options = whom.map((of) => h("option", { value: of }, `${of + 1} ${names[of]}`));
  const chosen = h("select", { class: "lv-select", "aria-label": "limits of", change: build }, options);
  const head = whom.length > 1 ? [h("b", {}, "Limits of"), chosen] : [h("b", {}, "Limits")];
  const node = h("figure", { class: "lv-chart lv-knobs" }, h("figcaption", {}, head), rows, trouble);
  let shown = [];

  const of = () => Number(chosen.value);

  function build() {
    trouble.hidden = true;
    shown = knobs[of()].map((knob) => slider(knob));
    rows.replaceChildren(...shown.flatMap(({ parts }) => parts));
    follow();
  }

  /** Show what is in force; a slider that is in somebody's hand is left alone. */
  function follow() {
    const now = limits()[of()].at(-1);
    for (const { knob, show } of shown) show(knob.name === "cpu" && now.cpu !== undefined ? now.cpu / 100 : now[knob.name]);
  }

  function slider(knob) {
    const { name, label, low, high, unit } = knob;
    const value = (place) => (place >= END ? null : low * (high / low) ** (place / (END - 1)));
    const place = (number) => Math.round((END - 1) * Math.min(1, Math.max(0, Math.log(number / low) / Math.log(high / low))));
    const said = h("output", {});
    const range = h("input", { type: "range", min: 0, max: END, step: 1, "aria-label": label, "data-knob": name, input: move });
    let [busy, next, until] = [false, undefined, 0];

    const tell = (number) => {
      said.textContent = number == null ? "no limit" : WORDS[unit](number);
      range.setAttribute("aria-valuetext", said.textContent);
    };

    function move() {
      const wanted = value(Number(range.value));
      until = performance.now() + 1000;
      tell(wanted);
      next = { of: of(), wanted };
      if (!busy) send();
    }

    /** One at a time: what was passed over while the kernel worked is not asked for any more. */
    async function send() {
      busy = true;
      while (next) {
        const { of: whose, wanted } = next;
        next = undefined;
        const wrong = await ask(whose, name, wanted);
        trouble.textContent = wrong ? [wrong.message, wrong.likely, wrong.look].filter(Boolean).join(": ") : "";
        trouble.hidden = !wrong;
        if (wrong) until = 0;
      }
      busy = false;
      follow();
    }

    function show(number) {
      if (busy || performance.now() < until) return;
      range.value = number === undefined ? END : place(number);
      tell(number);
    }

    return { knob, show, parts: [h("label", {}, h("span", {}, label), range), said] };
  }

  if (whom.length) build();
  return { node: whom.length ? node : null, follow };
}
