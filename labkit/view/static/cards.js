// A card: an exercise, a fault or a quiz. It shows `face` as the kernel sends it and sends back what was
// pressed: {op: "do"} for its button, {op: "answer", number, value} for a question.

import { h } from "./parts.js";

export default {
  render({ model, el }) {
    const me = Math.random().toString(36).slice(2, 8);
    const body = h("div", {});
    const voice = h("div", { class: "lp-voice", role: "status", "aria-live": "polite" });
    const root = h("section", { class: "labkit-player labkit-card", "data-lm-suppress-shortcuts": "true", keydown: (event) => event.stopPropagation() }, body, voice);

    function show() {
      const face = model.get("face");
      const focused = body.contains(document.activeElement) ? document.activeElement.id : "";
      root.setAttribute("aria-label", `${face.label}: ${face.title}`);
      const parts = [
        h("header", { class: "lc-header" }, h("span", { class: "lp-label" }, face.label), h("b", {}, face.title)),
        ...face.lines.map((line) => h(line.code ? "code" : "p", { class: "lc-line" }, line.text)),
        ...face.questions.map(question),
        face.button ? h("button", { class: "lp-button", id: `${me}-do`, click: act }, face.button) : null,
        verdict(face.verdict),
      ];
      body.replaceChildren(...parts.filter((part) => part !== null)); // else the page says "null"
      voice.textContent = face.verdict ? `${word(face.verdict)}${face.verdict.text}` : "";
      if (focused) document.getElementById(focused)?.focus();
    }

    function act() {
      voice.textContent = "looking …";
      model.send({ op: "do" });
    }

    /** One question: its choices as radio buttons, and below what came of the answer. */
    function question({ number, ask, choices, said, verdict: came }) {
      const group = `${me}-${number}`;
      const option = (choice, index) => h("label", { class: "lp-option" },
        h("input", { type: "radio", name: group, value: index, checked: choice === said }), h("span", {}, choice));
      const answer = (event) => {
        event.preventDefault();
        const picked = event.target.querySelector("input:checked");
        if (picked) model.send({ op: "answer", number, value: choices[Number(picked.value)] });
      };
      return h("form", { class: "lc-question", submit: answer },
        h("fieldset", {}, h("legend", {}, `${number}. ${ask}`), ...choices.map(option)),
        h("button", { class: "lp-button lp-answer", type: "submit", id: `${group}-answer` }, said ? "Answer again" : "Answer"),
        verdict(came));
    }

    const word = ({ right }) => (right === true ? "✓ Right. " : right === false ? "✗ Not yet. " : "");

    function verdict(came) {
      if (!came) return null;
      const kind = came.right === true ? "lp-right" : came.right === false ? "lp-wrong" : "";
      return h("p", { class: `lp-verdict ${kind}` }, h("b", {}, word(came)), came.text);
    }

    const follow = () => (root.dataset.theme = model.get("theme"));
    model.on("change:face", show);
    model.on("change:theme", follow);
    follow();
    show();
    el.append(root);
    return () => {
      model.off("change:face", show);
      model.off("change:theme", follow);
    };
  },
};
