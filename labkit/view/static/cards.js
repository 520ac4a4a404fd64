// A card: an exercise, a fault or a quiz. It shows `face` as the kernel sends it and sends back what was
// pressed: {op: "do"} for its button, {op: "answer", number, value} for a question.

import { h, keepKeys, lifeline, recordedBadge, saveSoon, GONE } from "./parts.js";
import { options, verdictView } from "./question.js";

export default {
  render({ model, el }) {
    const me = Math.random().toString(36).slice(2, 8);
    const dead = lifeline(model);
    const body = h("div", {});
    const gone = h("p", { class: "lc-gone", hidden: true, role: "status" }, GONE);
    const voice = h("div", { class: "lp-voice", role: "status", "aria-live": "polite" });
    const root = h("section", {
      class: "labkit-player labkit-card",
      keydown: keepKeys,
    }, recordedBadge(model.get("recorded")), body, gone, voice);

    function show() {
      const { label, title, lines, questions, button, verdict } = model.get("face");
      const focused = body.contains(document.activeElement) ? document.activeElement.id : "";
      root.setAttribute("aria-label", `${label}: ${title}`);
      const content = [
        h("header", { class: "lc-header" }, h("span", { class: "lp-label" }, label), h("b", {}, title)),
        ...lines.map(({ text, code }) => h(code ? "code" : "p", { class: "lc-line" }, text)),
        ...questions.map(question),
        button ? h("button", { class: "lp-button", id: `${me}-do`, click: act }, button) : null,
        verdict ? judged(verdict) : null,
      ];
      body.replaceChildren(...content.filter(Boolean));
      voice.textContent = spokenVerdict(verdict ?? null);
      if (focused) document.getElementById(focused)?.focus();
    }

    const spokenVerdict = (came) => (came ? judged(came).textContent : "");
    const judged = (came) => verdictView(came, "Not yet:", {}, "Right:"); // what follows begins with a small letter

    function act() {
      voice.textContent = "looking …";
      model.send({ op: "do" });
    }

    /** One question: its choices as radio buttons, and below what came of the answer. */
    function question({ number, ask, choices, said, verdict }) {
      const group = `${me}-${number}`;
      const answer = (event) => {
        event.preventDefault();
        const picked = event.target.querySelector("input:checked");
        if (picked) model.send({ op: "answer", number, value: choices[Number(picked.value)] });
      };
      const word = said ? "Answer again" : "Answer";
      const button = h("button", { class: "lp-button lp-answer", type: "submit", id: `${group}-answer` }, word);
      const came = verdict ? verdictView(verdict, "Not so.", { role: "status" }) : null;
      return h("form", { class: "lc-question", submit: answer, "aria-label": `question ${number}` },
        h("fieldset", {}, h("legend", {}, `${number}. ${ask}`), options(group, choices, said)),
        button, came);
    }

    function onLife() {
      gone.hidden = !dead();
    }

    const follow = () => (root.dataset.theme = model.get("theme"));
    const listeners = [["change:face", show], ["change:theme", follow], ["comm_live_update", onLife]];
    for (const [event, listener] of listeners) model.on(event, listener);
    follow();
    show();
    el.append(root);
    saveSoon(model);
    return () => {
      for (const [event, listener] of listeners) model.off(event, listener);
    };
  },
};
