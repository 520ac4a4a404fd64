// The list of steps that "Go to" opens: a number to type, or a step to choose.

import { h } from "./parts.js";

/** `goTo` is called with the position that was chosen, `toggled` when the list has been opened or closed. */
export function stepList(model, goTo, toggled) {
  const node = h("div", { class: "lp-choice", hidden: true });
  const isOpen = () => !node.hidden;

  function toggle(open = node.hidden) {
    if (open === isOpen()) return;
    const hadFocus = node.contains(document.activeElement);
    node.hidden = !open;
    if (open) {
      show();
      node.querySelector("input").focus();
    }
    toggled(hadFocus);
  }

  function field(total, typed) {
    const input = h("input", {
      type: "number", min: 0, max: total, value: typed, "aria-label": `step number, 0 to ${total}`,
      keydown: (event) => {
        if (event.key !== "Enter" || input.value === "") return;
        event.preventDefault(); // the key would go on to the button that has the focus next
        goTo(Number(input.value));
      },
    });
    return input;
  }

  function entry(position, number, text, who = "") {
    const done = number <= position;
    const label = done ? "taken" : "not taken";
    const tick = h("span", { class: "lp-tick", role: "img", "aria-label": label }, done ? "✓" : "·");
    const name = [h("span", { class: "lp-number" }, String(number)), h("span", {}, text)];
    return h("button", {
      class: done ? "lp-entry lp-done" : "lp-entry",
      "aria-current": number === position && "step",
      click: () => goTo(number),
    }, tick, ...name, h("span", { class: "lp-who" }, who));
  }

  function show() {
    const { position, total } = model.get("moment");
    const hadFocus = node.contains(document.activeElement);
    const input = field(total, node.querySelector("input")?.value ?? "");
    const goals = model.get("plan").goals.map(({ goal, steps }) => h("div", { class: "lp-group" },
      h("h5", {}, goal), ...steps.map(({ number, title, who }) => entry(position, number, title, who))));
    node.replaceChildren(
      h("label", {}, "Go to step ", input, h("kbd", {}, "Enter"), h("kbd", {}, "Esc")),
      h("div", { class: "lp-list-of-steps" },
        h("div", { class: "lp-groups" }, entry(position, 0, "the beginning"), ...goals)));
    if (hadFocus) input.focus();
  }

  return { node, toggle, isOpen, show: () => isOpen() && show() };
}
