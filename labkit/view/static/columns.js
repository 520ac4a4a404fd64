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
  const coming = step.is === "coming";
  const about = coming ? "not made yet" : `${count(step.calls.length, "call")} · ${duration(step["µs"])}`;
  const rows = step.calls.map((call) => {
    const name = h("button", { class: "lp-name", title: `manual page ${call.man}`, click: () => open(call.man) }, call.name);
    const line = h("code", { class: "lp-code" }, name, coloured(call.text.slice(call.name.length)));
    return h("li", { class: call.failed || call.refused ? "lp-call lp-bad" : "lp-call" }, line, coming ? null : result(call));
  });
  const list = rows.length ? h("ol", { class: "lp-list" }, ...rows) : h("p", { class: "lp-none" }, "No call was made.");
  return column("calls", "System calls", h("span", { class: "lp-about" }, about), list);
}

function result(call) {
  if (call.refused) return h("div", { class: "lp-result" }, h("strong", {}, "not made: "), call.refused);
  const value = h("code", {}, `= ${call.result}`);
  const meaning = call.meaning ? h("span", { class: "lp-meaning" }, ` ${call.meaning}`) : null;
  return h("div", { class: "lp-result" }, h("span", {}, value, meaning), h("span", { class: "lp-time" }, duration(call["µs"])));
}

/** The shell line, with a button that copies it. */
export function shellColumn(step, copyLine) {
  const button = h("button", { class: "lp-small", title: "copy the shell line (key: c)", click: copyLine }, "Copy");
  const lines = step.shell.split("\n").map((line, index) =>
    h("div", { class: "lp-line" }, h("span", { class: "lp-prompt", "aria-hidden": "true" }, index ? "  " : "$ "), line));
  const where = step.who === "host" ? "in a shell of the lab host" : `in a shell of ${step.who}`;
  return column("shell", "Shell", button, h("code", { class: "lp-code" }, ...lines), h("p", { class: "lp-where" }, where));
}

/** What changed, under the name of the probe that saw it. */
export function changesColumn(step) {
  if (step.is === "coming") {
    const may = h("p", { class: "lp-none" }, "What will change? This step may touch: ", h("strong", {}, step.probes.join(", ")), ".");
    return column("changes", "What changes", null, may);
  }
  const groups = Map.groupBy ? Map.groupBy(step.changes, (c) => c.probe) : grouped(step.changes);
  const content = [...groups].flatMap(([probe, changes]) => [
    h("h5", { class: "lp-probe" }, probe),
    h("ul", { class: "lp-list" }, ...changes.map(change)),
  ]);
  const nothing = step.is === "failed" ? "Nothing changed." : "Nothing that a probe of this step can see.";
  return column("changes", "What changed", tally(step.changes), ...(content.length ? content : [h("p", { class: "lp-none" }, nothing)]));
}

function grouped(changes) {
  const groups = new Map();
  for (const change of changes) groups.set(change.probe, [...(groups.get(change.probe) ?? []), change]);
  return groups;
}

function tally(changes) {
  const shown = Object.entries(SIGNS).map(([key, { kind, sign, word }]) => {
    const number = changes.filter((change) => change.sign === key).length;
    return number ? h("span", { class: `lp-tally lp-${kind}`, title: word }, h("b", {}, sign), ` ${number} ${word}`) : null;
  });
  return h("span", { class: "lp-about" }, ...shown);
}

function change(row) {
  const { kind, sign, word } = SIGNS[row.sign];
  const fields = row.fields.map(([name, before, after]) =>
    h("div", { class: "lp-field" }, h("span", { class: "lp-key" }, `${name} `),
      h("del", {}, before), h("span", { class: "lp-arrow" }, " → "), h("ins", {}, after)));
  const text = h("div", {}, h("strong", {}, row.title), row.rest ? h("div", { class: "lp-rest" }, row.rest) : null, ...fields);
  return h("li", { class: `lp-change lp-${kind}` }, h("span", { class: "lp-sign", role: "img", "aria-label": word }, sign), text);
}

/** "3 calls, 2 changes", for the ear. */
export function spoken(step) {
  if (step.is === "coming") return "";
  return `${count(step.calls.length, "system call")}, ${count(step.changes.length, "change")}.`;
}
