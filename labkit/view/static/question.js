// A prediction: its choices or a line to write on, and what came of the answer.

import { h } from "./parts.js";

/** Radio buttons; `said` is chosen, `closed` says that nothing can be changed any more. */
export function options(group, choices, said, closed = false) {
  const option = (choice, index) => {
    const button = h("input", { type: "radio", name: group, value: index, checked: choice === said, disabled: closed });
    return h("label", { class: "lp-option" }, button, h("span", {}, String(choice)));
  };
  return h("div", { class: "lp-options" }, ...choices.map(option));
}

/** "✓ `yes`" or "✗ `no`", and why. `right` is null where there is no right or wrong. */
export function verdictView({ right, text }, no, attributes = {}, yes = "Right.") {
  const word = right === true ? `✓ ${yes} ` : right === false ? `✗ ${no} ` : "";
  const kind = right === true ? "lp-right" : right === false ? "lp-wrong" : "";
  return h("p", { class: `lp-verdict ${kind}`, ...attributes }, h("b", {}, word), text);
}

/** The panel that asks what `model` has as its question; `answer` is called with what was chosen or written. */
export function questionPanel(model, me, answer) {
  const node = h("div", { class: "lp-question", hidden: true });

  /** Whether the next step waits for an answer. */
  function waits() {
    const asked = model.get("question");
    return Boolean(asked && !asked.answered);
  }

  function focus() {
    node.querySelector("input")?.focus();
    node.scrollIntoView({ block: "nearest" });
  }

  function submit(event) {
    event.preventDefault();
    const { choices } = model.get("question");
    const picked = node.querySelector("input:checked");
    const value = choices ? picked && choices[Number(picked.value)] : node.querySelector("input").value.trim();
    if (value) answer(value);
    else focus();
  }

  function line({ answered, answer: said }) {
    return h("input", {
      type: "text", class: "lp-line-in", disabled: answered, value: answered ? said : "", "aria-label": "your answer",
    });
  }

  function show() {
    const asked = model.get("question");
    node.hidden = !asked;
    if (!asked) return node.replaceChildren();
    const { id, text, choices, answered, answer: said, right = null, feedback = "" } = asked;
    const ways = choices ? options(`${me}-${id}`, choices, answered ? said : null, answered) : line(asked);
    const end = answered
      ? verdictView({ right, text: feedback }, "Not so.", { role: "status" })
      : h("button", { class: "lp-button lp-answer", type: "submit" }, "Answer");
    const legend = h("legend", {}, h("span", { class: "lp-label" }, "Predict"), ` ${text}`);
    node.replaceChildren(h("form", { submit }, h("fieldset", {}, legend, ways, end)));
  }

  return { node, show, focus, waits };
}
