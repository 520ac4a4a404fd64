// The head of the player: which plan, how far, a mark for each step, and the buttons.

import { h } from "./parts.js";

export const BUTTONS = [
  { op: "back", key: "b", also: "ArrowLeft", text: "Back", before: "← ", help: "take the last step back" },
  { op: "next", key: "n", also: "ArrowRight", text: "Next", after: " →", help: "take the next step" },
  { op: "goto", key: "g", text: "Go to …", help: "go to any step of the plan; then type its number" },
  { op: "run", key: "r", text: "Run all", help: "take all remaining steps" },
  { op: "reset", key: "0", text: "Reset", help: "start again in a fresh lab host" },
];

const ARROWS = { ArrowLeft: "←", ArrowRight: "→" };

/** `press` is called with what was pressed, and for a mark with "goto" and its number. */
export function controlPanel(press) {
  const name = h("span", { class: "lp-plan" });
  const place = h("span", { class: "lp-place" });
  const track = h("div", { class: "lp-track", "aria-hidden": "true" });
  const waiting = h("span", { class: "lp-waiting" });
  const buttons = Object.fromEntries(BUTTONS.map((button) => [button.op, makeButton(button)]));
  const bar = h("div", { class: "lp-controls", role: "toolbar", "aria-label": "step player" },
    ...BUTTONS.map(({ op }) => buttons[op]), waiting);

  function makeButton({ op, key, also, text, before = "", after = "", help }) {
    const label = h("span", {}, before, text, after);
    return h("button", {
      class: `lp-button lp-do-${op}`,
      title: `${help} (key: ${also ? `${key} or ${ARROWS[also]}` : key})`,
      "aria-label": `${text.replace(" …", "")}: ${help}`,
      "aria-keyshortcuts": also ? `${key} ${also}` : key,
      click: () => press(op),
    }, label, h("kbd", { "aria-hidden": "true" }, key));
  }

  function showPlan(plan) {
    name.textContent = plan.name;
    const mark = (goal, { number, title }) => h("span", {
      class: "lp-mark",
      "data-number": number,
      title: `${number} · ${title} (${goal})`,
      click: () => press("goto", number),
    });
    track.replaceChildren(...plan.goals.map(({ goal, steps }) =>
      h("div", { class: "lp-goal", style: `flex-grow:${steps.length}` }, ...steps.map((step) => mark(goal, step)))));
  }

  /** `allowed` tells which buttons do something now, `listing` whether the list of steps is open. */
  function show({ position, total, tried }, { allowed, listing, message }) {
    place.replaceChildren(h("b", {}, String(position)), ` of ${total}`);
    place.setAttribute("aria-label", `${position} of ${total} steps taken`);
    for (const mark of track.querySelectorAll(".lp-mark")) {
      const number = Number(mark.dataset.number);
      mark.classList.toggle("lp-done", number <= position);
      mark.classList.toggle("lp-here", number === (tried ? position + 1 : position));
      mark.classList.toggle("lp-bad", tried && number === position + 1);
    }
    for (const [op, button] of Object.entries(buttons)) button.setAttribute("aria-disabled", String(!allowed(op)));
    buttons.goto.setAttribute("aria-expanded", String(listing));
    waiting.textContent = message;
  }

  return { nodes: [h("header", { class: "lp-header" }, name, place), track, bar], buttons, showPlan, show };
}
