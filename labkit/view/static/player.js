// The step player. It shows `plan` and `moment` as the kernel sends them, and sends back what was pressed.
//
// Every press becomes a message at once, also while an earlier one is under way: the kernel takes them in
// order, and each is answered by a moment whose `done` is its id. So no click is lost, and what is still
// under way tells where the walk will be, which is what the buttons' states follow.

import { h, copy, keepKeys, lifeline, recordedBadge, saveSoon, GONE } from "./parts.js";
import { spoken } from "./columns.js";
import { beforeView, stepView, errorView } from "./step.js";
import { questionPanel, saidList } from "./question.js";
import { stepList } from "./steplist.js";
import { manualPanel } from "./manual.js";
import { BUTTONS, controlPanel } from "./controls.js";

const PATIENCE = 1500; // ms without an answer, after which the player says why it may take long
const SLOW = "Waiting for the kernel: it is running a cell, or it was stopped.";
const NOTICES = { refused: "Not done", interrupted: "Interrupted", broken: "Something broke" };

export default {
  render({ model, el }) {
    const me = Math.random().toString(36).slice(2, 8);
    const moment = () => model.get("moment");
    const dead = lifeline(model);
    let pressed = []; // {id, op, position, at}: sent and not answered yet
    let sent = 0;

    // what stays, whatever happens
    const controls = controlPanel(press);
    const list = stepList(model, (position) => press("goto", position), onToggled);
    const again = (id) => post({ op: "again", question: id });
    const question = questionPanel(model, me, (value) => post({ op: "answer", value }), again);
    const said = saidList(model, again);
    const manual = manualPanel((page) => model.send({ op: "man", page }), () => root.focus({ preventScroll: true }));
    const notice = h("div", { class: "lp-notice", hidden: true, role: "alert" });
    const step = h("div", { class: "lp-step" });
    const following = h("div", { class: "lp-ahead", hidden: true });
    const voice = h("div", { class: "lp-voice", role: "status", "aria-live": "polite" });
    const root = h("div", {
      class: "labkit-player", tabindex: 0, role: "group", keydown: onKey,
    }, recordedBadge(model.get("recorded")), ...controls.nodes, list.node, question.node, notice, step, manual.node, following, said.node, voice);

    // sending

    function press(op, position) {
      if (!allowed(op)) return;
      if (op === "goto" && position === undefined) return list.toggle();
      if (["next", "run"].includes(op) && question.waits() && !pressed.length) return insist();
      list.toggle(false);
      post({ op, position, seen: moment().beat });
    }

    /** Next waits for an answer: nothing is sent, the form is outlined. */
    function insist() {
      question.insist();
      voice.textContent = `Answer first: ${model.get("question").text}`;
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
      return pressed.reduce((at, { op, position: to }) => {
        const next = { next: Math.min(at + 1, total), back: Math.max(at - 1, 0), goto: to, run: total, reset: 0 };
        return next[op] ?? at;
      }, position);
    }

    function allowed(op) {
      if (dead()) return false;
      const { total, tried, way_back: wayBack, notice: told } = moment();
      const at = heading();
      if (op === "next" || op === "run") return at < total;
      if (op === "back") return at > 0 || (tried && !pressed.length);
      if (op === "reset") return at > 0 || tried || Boolean(wayBack) || Boolean(told);
      return total > 0;
    }

    function openManual(page) {
      if (!dead()) manual.open(page);
    }

    async function copyLine() {
      const done = await copy(moment().step.shell);
      voice.textContent = done ? "copied" : "the browser does not allow copying";
      const button = step.querySelector(".lp-shell .lp-small");
      button.textContent = done ? "Copied ✓" : "Not allowed";
      setTimeout(() => (button.textContent = "Copy"), 1500);
    }

    // showing

    function showPlan() {
      const plan = model.get("plan");
      root.setAttribute("aria-label", `step player: ${plan.name}`);
      controls.showPlan(plan);
      showControls();
    }

    function showControls() {
      const since = pressed.length ? performance.now() - pressed[0].at : 0;
      root.toggleAttribute("aria-busy", pressed.length > 0);
      root.classList.toggle("lp-dead", dead());
      const message = dead() ? GONE : since > PATIENCE ? SLOW : "";
      controls.show(moment(), { allowed, listing: list.isOpen(), message });
    }

    function onToggled(hadFocus) {
      if (!list.isOpen() && hadFocus) controls.buttons.goto.focus();
      showControls();
    }

    function showMoment() {
      const now = moment();
      const focused = step.contains(document.activeElement);
      showNotice(now.notice);
      step.replaceChildren(...stepView(now, openManual, copyLine), ...beforeView(now, wantsBefore(now), openManual));
      if (focused) root.focus({ preventScroll: true });
      following.hidden = !now.next;
      if (now.next) {
        const { number, title, why } = now.next;
        const label = h("span", { class: "lp-label" }, "Next");
        following.replaceChildren(label, h("b", {}, `${number} · ${title}`), h("span", {}, why));
      }
      list.show();
      say(now);
    }

    /** Whether the step before the one in question is to be seen: nothing waits, or a verdict speaks of it. */
    function wantsBefore({ before }) {
      const asked = model.get("question");
      return Boolean(asked && !asked.waits) || model.get("said").some((one) => one.now && one.step === before?.number);
    }

    function showAsked() {
      question.show();
      said.show();
    }

    function showNotice(told) {
      notice.hidden = !told;
      notice.replaceChildren(...(told ? [errorView(told, NOTICES[told.is])] : []));
    }

    function say({ step: shown, position, total, notice: told, way_back: wayBack }) {
      if (told) voice.textContent = `Not done: ${told.message}`;
      else if (shown?.error) voice.textContent = `Step ${shown.number}, ${shown.title}, failed: ${shown.error.message}`;
      else {
        const about = shown ? `${shown.title}. ${spoken(shown)}` : "";
        voice.textContent = `${position} of ${total} steps taken. ${wayBack} ${about}`;
      }
    }

    // keys, and what arrives

    function onKey(event) {
      keepKeys(event);
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.key === "Escape") {
        list.toggle(false);
        return manual.close();
      }
      if (event.target.matches("input, textarea")) return;
      const button = BUTTONS.find(({ key, also }) => key === event.key || also === event.key);
      const page = moment().step?.man[0];
      if (button) press(button.op);
      else if (event.key === "c" && moment().step?.shell) copyLine();
      else if (event.key === "m" && page) openManual(page);
      else return;
      event.preventDefault();
    }

    function onMoment() {
      const index = pressed.findIndex(({ id }) => id === moment().done);
      const answered = index >= 0 ? pressed[index] : null;
      pressed = pressed.slice(index + 1);
      showAsked();
      showMoment();
      showControls();
      if (moment().stopped && question.waits()) insist();
      if (answered) requestAnimationFrame(() => setTimeout(() => measured(answered)));
    }

    /** The frame after the one in which the new state was drawn: so long it took from the press to the screen. */
    function measured({ at }) {
      root.dataset.ms = (performance.now() - at).toFixed(1);
    }

    const follow = () => (root.dataset.theme = model.get("theme"));
    const listeners = [
      ["change:plan", showPlan], ["change:moment", onMoment], ["change:question", showAsked],
      ["change:said", showAsked],      ["change:theme", follow], ["msg:custom", manual.receive], ["comm_live_update", showControls],
    ];
    for (const [event, listener] of listeners) model.on(event, listener);

    follow();
    showPlan();
    showAsked();
    showMoment();
    showControls();
    el.append(root);
    saveSoon(model);
    return () => {
      for (const [event, listener] of listeners) model.off(event, listener);
    };
  },
};
