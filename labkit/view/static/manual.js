// The manual page that was asked for, below the step.

import { h } from "./parts.js";
import { errorView } from "./step.js";

/** `ask` sends for a page, `closed` is called when the panel is closed. */
export function manualPanel(ask, closed) {
  const node = h("div", { class: "lp-manual", hidden: true });
  let manual = null; // the page that is open: {man}, then {man, runs} or {man, error}

  function open(page) {
    manual = { man: page };
    ask(page);
    show();
    node.querySelector("button").focus();
  }

  function close() {
    if (!manual) return;
    manual = null;
    show();
    closed();
  }

  /** A message from the kernel: perhaps the page. */
  function receive(message) {
    if (!message?.man || message.man !== manual?.man) return;
    manual = message;
    show();
    node.scrollIntoView({ block: "nearest" });
  }

  function body() {
    if (manual.error) return errorView(manual.error, "No page");
    if (!manual.runs) return h("p", { class: "lp-none" }, "reading …");
    const runs = manual.runs.map(([style, part]) => (style ? h(style, {}, part) : part));
    return h("pre", { tabindex: 0, role: "region", "aria-label": `manual page ${manual.man}` }, ...runs);
  }

  function show() {
    node.hidden = !manual;
    if (!manual) return node.replaceChildren();
    const hadFocus = node.contains(document.activeElement);
    const button = h("button", { class: "lp-small", title: "close (key: Esc)", click: close }, "Close");
    const head = h("div", { class: "lp-head" }, h("span", { class: "lp-title" }, `Manual page ${manual.man}`), button);
    node.replaceChildren(head, body());
    if (hadFocus) button.focus({ preventScroll: true });
  }

  return { node, open, close, receive };
}
