// One step: which it is and why it is taken, what went wrong with it, and its triple view.

import { h } from "./parts.js";
import { callsColumn, shellColumn, changesColumn, spoken } from "./columns.js";

const STATES = { coming: "comes first", asked: "comes next", taken: "taken by", failed: "failed, tried by" };

/** The step that `moment` shows, as a list of elements; `openManual` shows a page, `copyLine` copies the shell line. */
export function stepView({ step, way_back: wayBack, position }, openManual, copyLine) {
  if (!step) return [h("p", { class: "lp-none" }, "This plan has no steps.")];
  const who = step.is === "coming" || step.is === "asked" ? "" : step.who;
  const about = `Step ${step.number} · ${step.goal} · ${STATES[step.is]} ${who}`;
  const title = "read the manual page (key: m)";
  const pages = step.man.map((page) =>
    h("button", { class: "lp-small lp-page", title, click: () => openManual(page) }, page));
  const label = h("span", { class: "lp-label" }, position ? "Back" : "Start");
  return [
    wayBack ? h("p", { class: "lp-back-note" }, label, wayBack) : null,
    h("div", { class: "lp-about-step" }, h("span", {}, about), h("span", { class: "lp-pages" }, ...pages)),
    h("h4", {}, step.title),
    step.what ? why(step) : null,
    step.error ? errorView(step.error, "The kernel said no") : null,
    h("div", { class: "lp-columns" },
      callsColumn(step, openManual), shellColumn(step, copyLine), changesColumn(step)),
  ].filter(Boolean);
}

/** While a question stands before a step: the step that was taken last, `open` or folded. */
export function beforeView({ before }, open, openManual) {
  if (!before) return [];
  const copyLine = null; // one shell line at a time has a key
  const head = h("summary", {}, h("span", { class: "lp-label" }, `Step ${before.number}`), `${before.title}: ${spoken(before)}`);
  const columns = [callsColumn(before, openManual), shellColumn(before, copyLine), changesColumn(before)];
  return [h("details", { class: "lp-before", open }, head, h("div", { class: "lp-columns" }, ...columns))];
}

/** What the step changes, and why it is taken; an explanation that an earlier step had is folded. */
function why({ what, why, again }) {
  const head = h("strong", {}, `${what}. `);
  if (!again || !why || why === what) return h("p", { class: "lp-why" }, head, why === what ? "" : why);
  return h("details", { class: "lp-why" }, h("summary", { title: "as for an earlier step: open to read it again" }, head), why);
}

/** An error as part of the lesson: what happened, why that usually is, where to look next. */
export function errorView({ message, likely, look, errno }, title) {
  const row = (term, text) => (text ? h("div", {}, h("dt", {}, term), h("dd", {}, text)) : null);
  const head = [h("b", {}, `✗ ${title}`), errno ? h("code", {}, ` ${errno}`) : null];
  const next = h("dl", {}, row("Likely", likely), row("Look", look));
  return h("div", { class: "lp-error" }, ...head, h("p", {}, message), next);
}
