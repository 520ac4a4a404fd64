// The triple view: what was asked of the kernel, the line that does the same, what changed.

import { h, coloured, duration, count } from "./parts.js";

const SIGNS = {
  "+": { kind: "new", sign: "+", word: "new" },
  "-": { kind: "gone", sign: "−", word: "gone" },
  "~": { kind: "changed", sign: "~", word: "changed" },
};

/** A column with its heading; it scrolls by itself, with the keyboard too. */
function column(name, title, about, ...content) {
  const head = h("div", { class: "lp-head" }, h("span", { class: "lp-title" }, title), about);
  const body = h("div", { class: "lp-body", tabindex: 0, role: "region", "aria-label": title }, ...content);
  return h("section", { class: `lp-column lp-${name}` }, head, body);
}

/** The calls of a step; `open` shows a manual page. */
export function callsColumn(step, open) {
  const coming = step.is === "coming" || step.is === "asked";
  if (step.hidden?.includes("calls")) return column("calls", "System calls", null, untold());
  const about = coming ? "not made yet" : `${count(step.calls.length, "call")} · ${duration(step["µs"])}`;
  const rows = step.calls.map((call) => {
    const title = `manual page ${call.man}`;
    const name = h("button", { class: "lp-name", title, click: () => open(call.man) }, call.name);
    const line = h("code", { class: "lp-code" }, name, coloured(call.text.slice(call.name.length)));
    const kind = call.failed || call.refused ? "lp-call lp-bad" : call.expected ? "lp-call lp-expected" : "lp-call";
    return h("li", { class: kind }, line, coming ? null : result(call));
  });
  const list = rows.length ? h("ol", { class: "lp-list" }, ...rows) : h("p", { class: "lp-none" }, "No call was made.");
  return column("calls", "System calls", h("span", { class: "lp-about" }, about), list);
}

function result(call) {
  if (call.refused) return h("div", { class: "lp-result" }, h("strong", {}, "not made: "), call.refused);
  const value = h("code", {}, `= ${call.result}`);
  const words = call.expected ? `${call.meaning}, as expected` : call.meaning;
  const meaning = call.meaning ? h("span", { class: "lp-meaning" }, ` ${words}`) : null;
  const time = h("span", { class: "lp-time" }, duration(call["µs"]));
  return h("div", { class: "lp-result" }, h("span", {}, value, meaning), time);
}

/** In place of what would tell the answer. */
function untold() {
  return h("p", { class: "lp-none" }, "Not shown yet: it would tell the answer.");
}

/** The shell line, with a button that copies it, if `copyLine` does that. */
export function shellColumn(step, copyLine) {
  if (step.hidden?.includes("shell")) return column("shell", "Shell", null, untold());
  const title = "copy the shell line (key: c)";
  const button = copyLine && h("button", { class: "lp-small", title, click: copyLine }, "Copy");
  const prompt = (text) => h("span", { class: "lp-prompt", "aria-hidden": "true" }, text);
  const lines = step.shell.split("\n").map((line, index) =>
    h("div", { class: "lp-line" }, prompt(index ? "  " : "$ "), words(line)));
  const where = step.who === "host" ? "in a shell of the lab host" : `in a shell of ${step.who}`;
  const code = h("code", { class: "lp-code" }, ...lines);
  return column("shell", "Shell", button, code, h("p", { class: "lp-where" }, where));
}

/** A line whose options are not broken after a hyphen: `--propagation` is one word. */
function words(line) {
  return line.split(/( +)/).map((word) => (word.includes("-") ? h("span", { class: "lp-word" }, word) : word));
}

/** What changed, under the name of the probe that saw it. */
export function changesColumn(step) {
  if (step.is === "asked") {
    return column("changes", "What changes", null, h("p", { class: "lp-none" }, "Not shown until you have answered and pressed Next."));
  }
  if (step.is === "coming") {
    const probes = h("strong", {}, step.probes.join(", "));
    const may = h("p", { class: "lp-none" }, "What will change? This step may touch: ", probes, ".");
    return column("changes", "What changes", null, may);
  }
  const groups = Map.groupBy ? Map.groupBy(step.changes, (c) => c.probe) : grouped(step.changes);
  const content = [...groups].flatMap(([probe, changes]) => [
    h("h5", { class: "lp-probe" }, probe),
    h("ul", { class: "lp-list" }, ...changes.map(change)),
  ]);
  const nothing = step.is === "failed" ? "Nothing changed." : "Nothing that a probe of this step can see.";
  if (!content.length) content.push(h("p", { class: "lp-none" }, nothing));
  return column("changes", "What changed", tally(step.changes), ...content);
}

function grouped(changes) {
  const groups = new Map();
  for (const change of changes) groups.set(change.probe, [...(groups.get(change.probe) ?? []), change]);
  return groups;
}

/** How many things have changed; what has happened to several alike is one row. */
function total(changes) {
  return changes.reduce((sum, { many }) => sum + many, 0);
}

function tally(changes) {
  const shown = Object.entries(SIGNS).map(([key, { kind, sign, word }]) => {
    const number = total(changes.filter((change) => change.sign === key));
    if (!number) return null;
    return h("span", { class: `lp-tally lp-${kind}`, title: word }, h("b", {}, sign), ` ${number} ${word}`);
  });
  return h("span", { class: "lp-about" }, ...shown);
}

function change(row) {
  const { kind, sign, word } = SIGNS[row.sign];
  const fields = row.fields.map(([name, before, after]) =>
    h("div", { class: "lp-field" }, h("span", { class: "lp-key" }, `${name} `),
      h("del", {}, before), h("span", { class: "lp-arrow" }, " → "), h("ins", {}, after)));
  const rest = row.rest ? h("div", { class: "lp-rest" }, row.rest) : null;
  const mark = h("span", { class: "lp-sign", role: "img", "aria-label": word }, sign);
  return h("li", { class: `lp-change lp-${kind}` }, mark, h("div", {}, h("strong", {}, row.title), rest, ...fields));
}

/** "3 calls, 2 changes", for the ear. */
export function spoken(step) {
  if (step.is === "coming" || step.is === "asked") return "";
  return `${count(step.calls.length, "system call")}, ${count(total(step.changes), "change")}.`;
}
