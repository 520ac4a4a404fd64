// Small things the player is made of: elements, coloured code, times, and text for the clipboard.
// Nothing here knows what a step is, and nothing sets innerHTML: whatever the kernel said stays text.

/** An element. Attributes that are functions become listeners; null children are left out. */
export function h(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") node.addEventListener(name, value);
    else if (value !== false && value != null) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child != null && child !== ""));
  return node;
}

const TOKEN = /("(?:[^"\\]|\\.)*"…?)|\b([A-Z][A-Z0-9_]{2,})\b/g;

/** Code with its strings and CONSTANTS marked, so that the eye finds the flags. */
export function coloured(text) {
  const parts = [];
  let end = 0;
  for (const match of text.matchAll(TOKEN)) {
    parts.push(text.slice(end, match.index));
    parts.push(h("span", { class: match[1] ? "lp-string" : "lp-constant" }, match[0]));
    end = match.index + match[0].length;
  }
  parts.push(text.slice(end));
  return parts;
}

/** A duration given in microseconds: "8.4 µs", "120 µs", "1.3 ms". */
export function duration(micros) {
  if (micros < 9.95) return `${micros.toFixed(1)} µs`;
  if (micros < 999.5) return `${Math.round(micros)} µs`;
  return `${(micros / 1000).toFixed(micros < 99500 ? 1 : 0)} ms`;
}

/** "1 call", "2 calls". */
export function count(number, noun) {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}

/** Put text on the clipboard; also where the page came over plain http, which has no clipboard API. */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = h("textarea", { style: "position:fixed;opacity:0" });
    area.value = text;
    const before = document.activeElement;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    before?.focus();
    return done;
  }
}

/** Where and when what is shown was recorded; null for a lab that is live. */
export function recordedBadge(source) {
  if (!source) return null;
  return h("div", { class: "lp-recorded" }, h("span", { class: "lp-dot", "aria-hidden": "true" }), `${source}: not live`);
}

/**
 * A function that tells whether the kernel behind this widget has gone. What anywidget hands us does not know;
 * the whole model, which the page's widget manager has, does.
 */
export function lifeline(model) {
  let whole = null;
  model.widget_manager?.get_model(model.get("identity")).then((found) => (whole = found), () => {});
  return () => whole?.comm_live === false;
}

/** Keys stay in the widget; what is pressed with Ctrl, Meta or Alt is for JupyterLab and the browser: Ctrl+S saves. */
export function keepKeys(event) {
  if (!event.ctrlKey && !event.metaKey && !event.altKey) event.stopPropagation();
}

const SAVING = Symbol.for("labkit: a save is due");
const QUEUE = Symbol.for("labkit: saves follow each other");
const MOMENT = 200; // ms
const UNDER_WAY = 1000; // ms, for a save that was begun before there was a queue

/**
 * Let a notebook's saves follow each other: ours, JupyterLab's own and Ctrl+S. One that begins in the middle of another
 * finds a file that it did not write, and asks the student whether to overwrite it.
 */
function queueSaves(context) {
  if (context[QUEUE]) return;
  const save = context.save.bind(context);
  context[QUEUE] = new Promise((resolve) => setTimeout(resolve, UNDER_WAY));
  context.save = () => {
    const mine = context[QUEUE].catch(() => undefined).then(save);
    context[QUEUE] = mine;
    return mine;
  };
}

/**
 * Save the notebook when the kernel has run its cells. Until then only the page knows what they have shown, and a page that
 * is loaded again has lost it.
 */
export function saveSoon(model) {
  const context = model.widget_manager?.context;
  if (!context?.save || context[SAVING]) return;
  queueSaves(context);
  context[SAVING] = true;
  const clock = setInterval(async () => {
    if (context.isDisposed) return clearInterval(clock);
    if (context.sessionContext.session?.kernel?.status === "busy") return;
    clearInterval(clock);
    context[SAVING] = false;
    if (context.model.dirty && !context.model.readOnly && context.contentsModel?.writable) {
      await context.save().catch(() => undefined); // JupyterLab has said why; what is dirty is saved with its next save
    }
  }, MOMENT);
}

export const GONE = "The kernel was restarted or stopped, and its lab has gone: this is a picture of what was. "
  + "Run the cell again.";
