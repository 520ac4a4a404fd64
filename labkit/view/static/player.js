// The step player. It shows `plan` and `moment` as the kernel sends them, and sends back what was pressed.
//
// Every press becomes a message at once, also while an earlier one is under way: the kernel takes them in
// order, and each is answered by a moment whose `done` is its id. So no click is lost, and what is still
// under way tells where the walk will be, which is what the buttons' states follow.

import { h, copy } from "./parts.js";
import { callsColumn, shellColumn, changesColumn, spoken } from "./columns.js";

const PATIENCE = 1500; // ms without an answer, after which the player says why it may take long

const BUTTONS = [
  { op: "back", key: "b", also: "ArrowLeft", text: "Back", icon: "←", help: "take the last step back" },
  { op: "next", key: "n", also: "ArrowRight", text: "Next", icon: "→", help: "take the next step" },
  { op: "goto", key: "g", text: "Go to …", help: "go to any step of the plan; then type its number" },
  { op: "run", key: "r", text: "Run all", help: "take all remaining steps" },
  { op: "reset", key: "0", text: "Reset", help: "start again in a fresh lab host" },
];

export default {
  render({ model, el }) {
    const me = Math.random().toString(36).slice(2, 8);
    const moment = () => model.get("moment");
    let pressed = []; // {id, op, position, at}: sent and not answered yet
    let sent = 0;
    let manual = null; // the manual page that is open: {man, runs} or {man, error}
    let choosing = false; // the list of steps is open

    // what stays, whatever happens
    const name = h("span", { class: "lp-plan" });
    const place = h("span", { class: "lp-place" });
    const track = h("div", { class: "lp-track", "aria-hidden": "true" });
    const waiting = h("span", { class: "lp-waiting" });
    const buttons = Object.fromEntries(BUTTONS.map((button) => [button.op, makeButton(button)]));
    const controls = h("div", { class: "lp-controls", role: "toolbar", "aria-label": "step player" },
      ...BUTTONS.map(({ op }) => buttons[op]), waiting);
    const choice = h("div", { class: "lp-choice", hidden: true });
    const question = h("div", { class: "lp-question", hidden: true });
    const notice = h("div", { class: "lp-notice", hidden: true, role: "alert" });
    const step = h("div", { class: "lp-step" });
    const pages = h("div", { class: "lp-manual", hidden: true });
    const following = h("div", { class: "lp-ahead", hidden: true });
    const voice = h("div", { class: "lp-voice", role: "status", "aria-live": "polite" });
    const root = h("div", {
      class: "labkit-player", tabindex: 0, role: "group", "data-lm-suppress-shortcuts": "true", keydown: onKey,
    }, h("header", { class: "lp-header" }, name, place), track, controls, choice, question, notice, step, pages, following, voice);

    // sending

    function press(op, position) {
      if (!allowed(op)) return;
      if (op === "goto" && position === undefined) return toggleChoice();
      if (op === "next" && asked()) focusQuestion();
      toggleChoice(false);
      post({ op, position, seen: moment().beat });
    }

    function post(message) {
      const id = `${me}-${++sent}`;
      pressed.push({ id, at: performance.now(), ...message });
      try {
        model.send({ id, ...message });
      } catch {
        pressed = [];
      }
      setTimeout(showControls, PATIENCE + 50);
      showControls();
    }

    /** Where the walk will be when all that was pressed is done. */
    function heading() {
      const { position, total } = moment();
      return pressed.reduce((at, { op, position: to }) =>
        ({ next: Math.min(at + 1, total), back: Math.max(at - 1, 0), goto: to, run: total, reset: 0 })[op] ?? at, position);
    }

    function allowed(op) {
      if (dead()) return false;
      const { total, tried, way_back: wayBack } = moment();
      const at = heading();
      if (op === "next" || op === "run") return at < total;
      if (op === "back") return at > 0 || (tried && !pressed.length);
      if (op === "reset") return at > 0 || tried || Boolean(wayBack) || Boolean(moment().notice);
      return total > 0;
    }

    function dead() {
      return model.comm_live === false || Boolean(el.closest(".jupyter-widgets-disconnected"));
    }

    // showing

    function makeButton({ op, key, also, text, icon, help }) {
      const keys = also ? `${key} or ${also === "ArrowLeft" ? "←" : "→"}` : key;
      const label = h("span", {}, icon && op === "back" ? `${icon} ` : "", text, icon && op === "next" ? ` ${icon}` : "");
      return h("button", {
        class: `lp-button lp-do-${op}`, title: `${help} (key: ${keys})`, "aria-label": `${text.replace(" …", "")}: ${help}`,
        "aria-keyshortcuts": also ? `${key} ${also}` : key, click: () => press(op),
      }, label, h("kbd", { "aria-hidden": "true" }, key));
    }

    function showPlan() {
      const plan = model.get("plan");
      name.textContent = plan.name;
      root.setAttribute("aria-label", `step player: ${plan.name}`);
      track.replaceChildren(...plan.goals.map(({ goal, steps }) =>
        h("div", { class: "lp-goal", style: `flex-grow:${steps.length}` }, ...steps.map(({ number, title }) =>
          h("span", { class: "lp-mark", "data-number": number, title: `${number} · ${title} (${goal})`, click: () => press("goto", number) })))));
    }

    function showControls() {
      const { position, total, tried } = moment();
      place.replaceChildren(h("b", {}, String(position)), ` of ${total}`);
      place.setAttribute("aria-label", `${position} of ${total} steps taken`);
      for (const mark of track.querySelectorAll(".lp-mark")) {
        const number = Number(mark.dataset.number);
        mark.classList.toggle("lp-done", number <= position);
        mark.classList.toggle("lp-here", number === (tried ? position + 1 : position));
        mark.classList.toggle("lp-bad", tried && number === position + 1);
      }
      for (const [op, button] of Object.entries(buttons)) button.setAttribute("aria-disabled", String(!allowed(op)));
      buttons.goto.setAttribute("aria-expanded", String(choosing));
      const since = pressed.length ? performance.now() - pressed[0].at : 0;
      root.toggleAttribute("aria-busy", pressed.length > 0);
      root.classList.toggle("lp-dead", dead());
      waiting.textContent = dead()
        ? "The kernel was restarted or stopped, and its lab has gone: this is a picture of what was. Run the cell again."
        : since > PATIENCE ? "Waiting for the kernel: it is running a cell, or it was stopped." : "";
    }

    function showMoment() {
      const now = moment();
      const focused = step.contains(document.activeElement);
      showNotice(now);
      step.replaceChildren(...(now.step ? stepView(now) : [h("p", { class: "lp-none" }, "This plan has no steps.")]));
      if (focused) root.focus({ preventScroll: true });
      following.hidden = !now.next;
      if (now.next) {
        following.replaceChildren(h("span", { class: "lp-label" }, "Next"), h("b", {}, `${now.next.number} · ${now.next.title}`), h("span", {}, now.next.why));
      }
      if (choosing) showChoice();
      say(now);
    }

    function stepView({ step: shown, way_back: wayBack, position }) {
      const state = { coming: "comes first", taken: "taken by", failed: "failed, tried by" }[shown.is];
      const about = `Step ${shown.number} · ${shown.goal} · ${state} ${shown.is === "coming" ? "" : shown.who}`;
      const manuals = shown.man.map((page) => h("button", { class: "lp-small lp-page", title: "read the manual page (key: m)", click: () => openManual(page) }, page));
      return [
        wayBack ? h("p", { class: "lp-back-note" }, h("span", { class: "lp-label" }, position ? "Back" : "Start"), wayBack) : null,
        h("div", { class: "lp-about-step" }, h("span", {}, about), h("span", { class: "lp-pages" }, ...manuals)),
        h("h4", {}, shown.title),
        h("p", { class: "lp-why" }, h("strong", {}, `${shown.what}. `), shown.why === shown.what ? "" : shown.why),
        shown.error ? errorView(shown.error, "The kernel said no") : null,
        h("div", { class: "lp-columns" }, callsColumn(shown, openManual), shellColumn(shown, copyLine), changesColumn(shown)),
      ].filter(Boolean);
    }

    function errorView({ message, likely, look, errno }, title) {
      const row = (term, text) => (text ? h("div", {}, h("dt", {}, term), h("dd", {}, text)) : null);
      return h("div", { class: "lp-error" }, h("b", {}, `✗ ${title}`), errno ? h("code", {}, ` ${errno}`) : null,
        h("p", {}, message), h("dl", {}, row("Likely", likely), row("Look", look)));
    }

    function showNotice({ notice: told }) {
      notice.hidden = !told;
      const titles = { refused: "Not done", interrupted: "Interrupted", broken: "Something broke" };
      notice.replaceChildren(...(told ? [errorView(told, titles[told.is])] : []));
      if (told?.is === "refused" && asked()) focusQuestion();
    }

    function say({ step: shown, position, total, notice: told, way_back: wayBack }) {
      if (told) voice.textContent = `Not done: ${told.message}`;
      else if (shown?.error) voice.textContent = `Step ${shown.number}, ${shown.title}, failed: ${shown.error.message}`;
      else voice.textContent = `${position} of ${total} steps taken. ${wayBack} ${shown ? `${shown.title}. ${spoken(shown)}` : ""}`;
    }

    // the list of steps

    function toggleChoice(open = !choosing) {
      if (open === choosing) return;
      choosing = open;
      choice.hidden = !open;
      if (open) {
        showChoice();
        choice.querySelector("input").focus();
      } else if (choice.contains(document.activeElement)) buttons.goto.focus();
      showControls();
    }

    function showChoice() {
      const { position, total } = moment();
      const typed = choice.querySelector("input")?.value ?? "";
      const hadFocus = choice.contains(document.activeElement);
      const field = h("input", { type: "number", min: 0, max: total, value: typed, "aria-label": `step number, 0 to ${total}`, keydown: (event) => {
        if (event.key === "Enter" && field.value !== "") press("goto", Number(field.value));
      } });
      const entry = (number, text, who = "") => h("button", {
        class: number <= position ? "lp-entry lp-done" : "lp-entry", "aria-current": number === position && "step", click: () => press("goto", number),
      }, h("span", { class: "lp-tick", role: "img", "aria-label": number <= position ? "taken" : "not taken" }, number <= position ? "✓" : "·"),
        h("span", { class: "lp-number" }, String(number)), h("span", {}, text), h("span", { class: "lp-who" }, who));
      const goals = model.get("plan").goals.map(({ goal, steps }) =>
        h("div", { class: "lp-group" }, h("h5", {}, goal), ...steps.map(({ number, title, who }) => entry(number, title, who))));
      choice.replaceChildren(h("label", {}, "Go to step ", field, h("kbd", {}, "Enter"), h("kbd", {}, "Esc")),
        h("div", { class: "lp-groups" }, entry(0, "the beginning"), ...goals));
      if (hadFocus) field.focus();
    }

    // manual pages

    function openManual(page) {
      if (dead()) return;
      manual = { man: page };
      model.send({ op: "man", page });
      showManual();
      pages.querySelector("button").focus();
    }

    function closeManual() {
      manual = null;
      showManual();
      root.focus({ preventScroll: true });
    }

    function showManual() {
      pages.hidden = !manual;
      if (!manual) return pages.replaceChildren();
      const text = manual.runs
        ? h("pre", { tabindex: 0, role: "region", "aria-label": `manual page ${manual.man}` }, ...manual.runs.map(([style, part]) => (style ? h(style, {}, part) : part)))
        : manual.error ? errorView(manual.error, "No page") : h("p", { class: "lp-none" }, "reading …");
      const close = h("button", { class: "lp-small", title: "close (key: Esc)", click: closeManual }, "Close");
      const hadFocus = pages.contains(document.activeElement);
      pages.replaceChildren(h("div", { class: "lp-head" }, h("span", { class: "lp-title" }, `Manual page ${manual.man}`), close), text);
      if (hadFocus) close.focus({ preventScroll: true });
    }

    function onMessage(message) {
      if (message?.man && message.man === manual?.man) {
        manual = message;
        showManual();
        pages.scrollIntoView({ block: "nearest" });
      }
    }

    async function copyLine() {
      const done = await copy(moment().step.shell);
      voice.textContent = done ? "copied" : "the browser does not allow copying";
      const button = step.querySelector(".lp-shell .lp-small");
      button.textContent = done ? "Copied ✓" : "Not allowed";
      setTimeout(() => (button.textContent = "Copy"), 1500);
    }

    // questions

    function asked() {
      const open = model.get("question");
      return Boolean(open && !open.answered);
    }

    function focusQuestion() {
      question.querySelector("input")?.focus();
      question.scrollIntoView({ block: "nearest" });
    }

    function showQuestion() {
      const open = model.get("question");
      question.hidden = !open;
      if (!open) return question.replaceChildren();
      const group = `${me}-${open.id}`;
      const option = (value, index) => h("label", { class: "lp-option" },
        h("input", { type: "radio", name: group, value: index, disabled: open.answered, checked: open.answered && open.answer === value }), h("span", {}, String(value)));
      const line = () => h("input", { type: "text", class: "lp-line-in", disabled: open.answered, value: open.answered ? open.answer : "", "aria-label": "your answer" });
      const answer = (event) => {
        event.preventDefault();
        const picked = question.querySelector("input:checked");
        const value = open.choices ? picked && open.choices[Number(picked.value)] : question.querySelector("input").value.trim();
        if (value || value === 0) post({ op: "answer", value });
      };
      question.replaceChildren(h("form", { submit: answer }, h("fieldset", {}, h("legend", {}, h("span", { class: "lp-label" }, "Predict"), ` ${open.text}`),
        ...(open.choices ? open.choices.map(option) : [line()]),
        open.answered ? verdict(open) : h("button", { class: "lp-button lp-answer", type: "submit" }, "Answer"))));
    }

    function verdict({ right, feedback }) {
      const word = right === true ? "✓ Right." : right === false ? "✗ Not so." : "";
      const kind = right === true ? "lp-right" : right === false ? "lp-wrong" : "";
      return h("p", { class: `lp-verdict ${kind}`, role: "status" }, h("b", {}, word ? `${word} ` : ""), feedback ?? "");
    }

    // keys

    function onKey(event) {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.key === "Escape") {
        toggleChoice(false);
        if (manual) closeManual();
        return;
      }
      if (event.target.matches("input, textarea")) return event.stopPropagation();
      const pressedButton = BUTTONS.find(({ key, also }) => key === event.key || also === event.key);
      const page = moment().step?.man[0];
      if (pressedButton) press(pressedButton.op);
      else if (event.key === "c" && moment().step) copyLine();
      else if (event.key === "m" && page) openManual(page);
      else return;
      event.preventDefault();
      event.stopPropagation();
    }

    // what arrives

    function onMoment() {
      const index = pressed.findIndex(({ id }) => id === moment().done);
      const answered = index >= 0 ? pressed[index] : null;
      pressed = pressed.slice(index + 1);
      showMoment();
      showControls();
      if (answered) requestAnimationFrame(() => setTimeout(() => (root.dataset.ms = (performance.now() - answered.at).toFixed(1))));
    }

    const follow = () => (root.dataset.theme = model.get("theme"));
    const listeners = [["change:plan", () => { showPlan(); showControls(); }], ["change:moment", onMoment], ["change:question", showQuestion],
      ["change:theme", follow], ["msg:custom", onMessage], ["comm_live_update", showControls]];
    for (const [event, listener] of listeners) model.on(event, listener);
    const watch = new MutationObserver(showControls);
    watch.observe(el, { attributes: true, attributeFilter: ["class"] });

    follow();
    showPlan();
    showQuestion();
    showMoment();
    showControls();
    el.append(root);
    return () => {
      watch.disconnect();
      for (const [event, listener] of listeners) model.off(event, listener);
    };
  },
};
