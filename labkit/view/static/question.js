// A prediction: its choices or a line to write on, what came of the answer, and the list of all that was answered.

import { h } from "./parts.js";

/** Radio buttons; `said` is chosen, `closed` says that nothing can be changed any more. */
export function options(group, choices, said, closed = false) {
  const option = (choice, index) => {
    const button = h("input", { type: "radio", name: group, value: index, checked: choice === said, disabled: closed });
    return h("label", { class: "lp-option" }, button, h("span", {}, String(choice)));
  };
  return h("div", { class: "lp-options" }, ...choices.map(option));
}

/** A line to write on. */
export function answerLine(said, closed = false) {
  return h("input", { type: "text", class: "lp-line-in", disabled: closed, value: said ?? "", "aria-label": "your answer" });
}

/** What was chosen or written in a form; empty if nothing. */
export function chosen(form, choices) {
  if (!choices) return form.querySelector("input").value.trim();
  const picked = form.querySelector("input:checked");
  return picked ? choices[Number(picked.value)] : "";
}

/** "✓ `yes`" or "✗ `no`", and why. `right` is null where there is no right or wrong. */
export function verdictView({ right, text }, no, attributes = {}, yes = "Right.") {
  const word = right === true ? `✓ ${yes} ` : right === false ? `✗ ${no} ` : "";
  const kind = right === true ? "lp-right" : right === false ? "lp-wrong" : "";
  return h("p", { class: `lp-verdict ${kind}`, ...attributes }, h("b", {}, word), text);
}

/** The button that asks something once more. */
export function againButton(text, click) {
  return h("button", { class: "lp-small lp-again", type: "button", "aria-label": `ask again: ${text}`, click }, "Ask again");
}

/** One prediction that was answered, or that the kernel has answered; `again` is called with its id. */
function entryView({ id, step, text, right, told }, again) {
  return h("div", { class: "lp-said" },
    h("p", { class: "lp-asked" }, h("span", { class: "lp-label" }, `Step ${step}`), text),
    verdictView({ right, text: told }, "Not so.", { role: "status" }), againButton(text, () => again(id)));
}

/**
 * The panel above the step: how the prediction about the step that is shown turned out, and the question that `model`
 * has open. `answer` is called with what was chosen or written, `again` with the id of a question.
 */
export function questionPanel(model, me, answer, again) {
  const node = h("div", { class: "lp-question", hidden: true });
  let shown = "";
  let insisted = ""; // the question for whose answer the form was outlined

  /** Whether the next step waits for an answer. */
  function waits() {
    return Boolean(model.get("question")?.waits);
  }

  function focus() {
    (node.querySelector("input:checked") ?? node.querySelector("form input"))?.focus();
    node.scrollIntoView({ block: "nearest" });
  }

  /** Outline the form and go there: it is what Next waits for. */
  function insist() {
    insisted = model.get("question")?.id ?? "";
    outline();
    if (insisted) focus();
  }

  function outline() {
    const asked = model.get("question");
    const form = node.querySelector("form");
    if (!form) return;
    const on = Boolean(asked) && insisted === asked.id;
    form.classList.toggle("lp-waits", on);
    form.querySelector(".lp-first").hidden = !on;
  }

  function submit(event) {
    event.preventDefault();
    const value = chosen(event.target, model.get("question").choices);
    if (value) answer(value);
    else insist();
  }

  function show() {
    const asked = model.get("question");
    const now = model.get("said").filter((entry) => entry.now);
    const state = JSON.stringify([asked, now]);
    if (state === shown) return;
    shown = state;
    if (asked?.id !== insisted) insisted = "";
    node.hidden = !asked && !now.length;
    node.replaceChildren(...now.map((entry) => entryView(entry, again)), ...(asked ? [form(asked)] : []));
    outline();
  }

  function form({ id, text, choices }) {
    const ways = choices ? options(`${me}-${id}`, choices, null) : answerLine("");
    const legend = h("legend", {}, h("span", { class: "lp-label" }, "Predict"), ` ${text}`);
    const button = h("button", { class: "lp-button lp-answer", type: "submit" }, "Answer");
    const first = h("span", { class: "lp-first", hidden: true }, "← Answer first; then press Next.");
    return h("form", { submit }, h("fieldset", {}, legend, ways, button, first));
  }

  return { node, show, insist, waits };
}

/** Below the step: all other predictions that were answered in this walk, so that no verdict is lost. */
export function saidList(model, again) {
  const node = h("section", { class: "lp-all-said", hidden: true, "aria-label": "predictions so far" });
  let shown = "";

  function show() {
    const rest = model.get("said").filter((entry) => !entry.now);
    const state = JSON.stringify(rest);
    if (state === shown) return;
    shown = state;
    node.hidden = !rest.length;
    node.replaceChildren(h("h5", {}, "Predictions so far"),
      h("ol", { class: "lp-list" }, ...rest.map((entry) => h("li", {}, entryView(entry, again)))));
  }

  return { node, show };
}
