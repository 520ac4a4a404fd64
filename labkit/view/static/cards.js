// A card: an exercise, a fault, a quiz, or the question that stopped a cell. It shows `face` as the kernel sends it and
// sends back what was pressed; `labkit/view/cards.py` lists the messages. What was not asked for is not in `face`.

import { h, copy, keepKeys, lifeline, recordedBadge, saveSoon, GONE } from "./parts.js";
import { againButton, answerLine, chosen, options, verdictView } from "./question.js";

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
      const face = model.get("face");
      const { label, title, lines, questions, state, verdict, given, buttons } = face;
      const focused = body.contains(document.activeElement) ? document.activeElement.id || "some" : "";
      root.setAttribute("aria-label", `${label}: ${title}`);
      const content = [
        h("header", { class: "lc-header" }, h("span", { class: "lp-label" }, label), h("b", {}, title)),
        ...lines.map(({ text, code }) => h(code ? "code" : "p", { class: "lc-line" }, text)),
        ...questions.map((asked) => question(asked, questions.length > 1)),
        state ? h("p", { class: "lc-state" }, state) : null,
        verdict ? judged(verdict) : null,
        ...given.map(helpView),
        buttons.length ? h("div", { class: "lc-buttons" }, ...buttons.map(button)) : null,
      ];
      body.replaceChildren(...content.filter(Boolean));
      voice.textContent = spoken(face);
      if (focused) (document.getElementById(focused) ?? body.querySelector("button, input:enabled"))?.focus();
    }

    function spoken({ state, verdict, given }) {
      const last = given.at(-1);
      return last ? `${last.name}: ${last.text}` : verdict ? judged(verdict).textContent : state;
    }

    const judged = (came) => verdictView(came, "Not yet.", {}, "Right:"); // what follows begins with a small letter

    /** A hint, or the model answer with a button that copies it. */
    function helpView({ name, text, code }) {
      if (!code) return h("p", { class: "lc-help" }, h("b", {}, `${name}: `), text);
      const button = h("button", { class: "lp-small", type: "button", click: () => copyText(text, button) }, "Copy");
      return h("div", { class: "lc-help" }, h("b", {}, `${name} `), button, h("pre", { tabindex: 0 }, text));
    }

    async function copyText(text, button) {
      const done = await copy(text);
      button.textContent = done ? "Copied ✓" : "Not allowed";
      setTimeout(() => (button.textContent = "Copy"), 1500);
    }

    function button({ op, text, name }) {
      const first = op === "do" || op === "plant";
      const click = () => {
        if (first) voice.textContent = "looking …";
        model.send({ op, name });
      };
      return h("button", { class: "lp-button", type: "button", id: `${me}-${op}${name.replace(" ", "")}`, click }, text);
    }

    /** One question: its choices or a line, and below what came of the answer. */
    function question({ number, ask, choices, said, verdict }, numbered) {
      const group = `${me}-${number}`;
      const answer = (event) => {
        event.preventDefault();
        const value = chosen(event.target, choices);
        if (value) model.send({ op: "answer", number, value });
      };
      const again = againButton(ask, () => model.send({ op: "again", number }));
      const send = h("button", { class: "lp-button lp-answer", type: "submit" }, "Answer");
      const end = said ? again : send;
      end.id = `${group}-end`; // one takes the place of the other, and of its focus
      const came = verdict ? verdictView(verdict, "Not so.", { role: "status" }) : null;
      const text = numbered ? `${number}. ${ask}` : ask;
      const ways = choices ? options(group, choices, said, Boolean(said)) : answerLine(said, Boolean(said));
      return h("form", { class: "lc-question", submit: answer, "aria-label": `question ${number}` },
        h("fieldset", {}, h("legend", {}, text), ways), came, end);
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
