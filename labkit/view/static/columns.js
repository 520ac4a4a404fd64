// The triple view: what was asked of the kernel, the line that does the same, what changed.

import { h, coloured, duration, count } from "./parts.js";

const SIGNS = {
  "+": { kind: "new", sign: "+", word: "new" },
  "-": { kind: "gone", sign: "−", word: "gone" },
  "~": { kind: "changed", sign: "~", word: "changed" },
};

/** A column with its heading; it scrolls by itself, with the keyboard too. */
function column(name, title, about, ...content) {
  const head = h("div", { class: "lk-head" }, h("span", { class: "lk-title" }, title), about);
  const body = h("div", { class: "lk-body", tabindex: 0, role: "region", "aria-label": title }, ...content);
  return h("section", { class: `lk-column lk-${name}` }, head, body);
}

/** The calls of a step; `open` shows a manual page. */
export function callsColumn(step, open) {
  const coming = step.is === "coming";
  const about = coming ? "not made yet" : `${count(step.calls.length, "call")} · ${duration(step["µs"])}`;
  const rows = step.calls.map((call) => {
    const name = h("button", { class: "lk-name", title: `manual page ${call.man}`, click: () => open(call.man) }, call.name);
    const line = h("code", { class: "lk-code" }, name, coloured(call.text.slice(call.name.length)));
    return h("li", { class: call.failed || call.refused ? "lk-call lk-bad" : "lk-call" }, line, coming ? null : result(call));
  });
  const list = rows.length ? h("ol", { class: "lk-list" }, ...rows) : h("p", { class: "lk-none" }, "No call was made.");
  return column("calls", "System calls", h("span", { class: "lk-about" }, about), list);
}

function result(call) {
  if (call.refused) return h("div", { class: "lk-result" }, h("strong", {}, "not made: "), call.refused);
  const value = h("code", {}, `= ${call.result}`);
  const meaning = call.meaning ? h("span", { class: "lk-meaning" }, ` ${call.meaning}`) : null;
  return h("div", { class: "lk-result" }, h("span", {}, value, meaning), h("span", { class: "lk-time" }, duration(call["µs"])));
}

/** The shell line, with a button that copies it. */
export function shellColumn(step, copyLine) {
  const button = h("button", { class: "lk-small", title: "copy the shell line (key: c)", click: copyLine }, "Copy");
  const lines = step.shell.split("\n").map((line, index) =>
    h("div", { class: "lk-line" }, h("span", { class: "lk-prompt", "aria-hidden": "true" }, index ? "  " : "$ "), line));
  const where = step.who === "host" ? "in a shell of the lab host" : `in a shell of ${step.who}`;
  return column("shell", "Shell", button, h("code", { class: "lk-code" }, ...lines), h("p", { class: "lk-where" }, where));
}

/** What changed, under the name of the probe that saw it. */
export function changesColumn(step) {
  if (step.is === "coming") {
    const may = h("p", { class: "lk-none" }, "What will change? This step may touch: ", h("strong", {}, step.probes.join(", ")), ".");
    return column("changes", "What changes", null, may);
  }
  const groups = Map.groupBy ? Map.groupBy(step.changes, (c) => c.probe) : grouped(step.changes);
  const content = [...groups].flatMap(([probe, changes]) => [
    h("h5", { class: "lk-probe" }, probe),
    h("ul", { class: "lk-list" }, ...changes.map(change)),
  ]);
  const nothing = step.is === "failed" ? "Nothing changed." : "Nothing that a probe of this step can see.";
  return column("changes", "What changed", tally(step.changes), ...(content.length ? content : [h("p", { class: "lk-none" }, nothing)]));
}

function grouped(changes) {
  const groups = new Map();
  for (const change of changes) groups.set(change.probe, [...(groups.get(change.probe) ?? []), change]);
  return groups;
}

function tally(changes) {
  const shown = Object.entries(SIGNS).map(([key, { kind, sign, word }]) => {
    const number = changes.filter((change) => change.sign === key).length;
    return number ? h("span", { class: `lk-tally lk-${kind}`, title: word }, h("b", {}, sign), ` ${number} ${word}`) : null;
  });
  return h("span", { class: "lk-about" }, ...shown);
}

function change(row) {
  const { kind, sign, word } = SIGNS[row.sign];
  const fields = row.fields.map(([name, before, after]) =>
    h("div", { class: "lk-field" }, h("span", { class: "lk-key" }, `${name} `),
      h("del", {}, before), h("span", { class: "lk-arrow" }, " → "), h("ins", {}, after)));
  const text = h("div", {}, h("strong", {}, row.title), row.rest ? h("div", { class: "lk-rest" }, row.rest) : null, ...fields);
  return h("li", { class: `lk-change lk-${kind}` }, h("span", { class: "lk-sign", role: "img", "aria-label": word }, sign), text);
}

/** "3 calls, 2 changes", for the ear. */
export function spoken(step) {
  if (step.is === "coming") return "";
  return `${count(step.calls.length, "system call")}, ${count(step.changes.length, "change")}.`;
}
