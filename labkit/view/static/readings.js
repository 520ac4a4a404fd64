// The legend of the live panel, which is also its table: a button for each container that takes its lines away and
// brings them back, and what it uses in figures, now or where the pointer is.

import { h } from "./parts.js";
import { bytes, clock, percent, rate, whole } from "./units.js";

const SHOWN = [
  ["CPU", (get) => told(get("cpu"), percent)],
  ["throttled", (get) => told(get("throttled"), percent)],
  ["memory", (get) => told(get("memory"), bytes)],
  ["read", (get) => told(get("read"), rate)],
  ["written", (get) => told(get("written"), rate)],
  ["processes", (get) => told(get("processes"), whole)],
];
const told = (value, words) => (value === undefined ? "–" : words(value));

export function readings({ names, colours, meters, toggle }) {
  const cells = names.map(() => SHOWN.map(() => h("td", {})));
  const buttons = names.map((name, of) => {
    const click = () => button.setAttribute("aria-pressed", String(toggle(of)));
    const badge = h("span", { class: "lv-badge" }, String(of + 1));
    const button = h("button", { class: "lv-name", "aria-pressed": "true", title: `show or hide ${name}`, click }, badge, name);
    return button;
  });
  const corner = h("th", { scope: "col" });
  const body = names.map((_, of) => h("tr", {}, h("th", { scope: "row" }, buttons[of]), cells[of]));
  const head = h("tr", {}, corner, SHOWN.map(([title]) => h("th", { scope: "col" }, title)));
  const node = h("table", { class: "lv-readings" }, h("thead", {}, head), h("tbody", {}, body));

  /** `time`: where the pointer is; null: the newest. */
  function show(time) {
    put(corner, time === null ? "" : clock(time));
    names.forEach((_, of) => {
      const get = time === null ? (name) => meters.latest(of, name) : (name) => meters.value(of, name, meters.index(time));
      SHOWN.forEach(([, words], n) => put(cells[of][n], words(get)));
    });
  }

  function paint() {
    buttons.forEach((button, of) => {
      button.style.setProperty("--mine", colours[of]);
      button.classList.toggle("lv-second", of >= 5);
    });
  }

  return { node, show, paint };
}

/** Writing the same again would make the browser lay out the page again. */
function put(node, text) {
  if (node.textContent !== text) node.textContent = text;
}
