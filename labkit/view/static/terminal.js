// A terminal: xterm.js shows what the shell writes and sends back what is typed. `xterm` is defined by the
// text that labkit.view.xterm puts before this file.

import { h, copy, lifeline, saveSoon, GONE } from "./parts.js";

const COLOURS = {
  normal: { background: "#15181c", foreground: "#ececec", cursor: "#ececec", selection: "#3d6a8a" },
  stage: { background: "#000000", foreground: "#ffffff", cursor: "#ffffff", selection: "#005a9c" },
};
const MONO = 'ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace';

export default {
  render({ model, el }) {
    const me = Math.random().toString(36).slice(2, 8);
    const dead = lifeline(model);
    const decoder = new TextDecoder();
    let terminal = null;
    let known = -1; // bytes that this view has been given; -1: it has not been answered yet

    const how = h("span", { class: "lt-how" }, "Click to type; Ctrl and Alt are the shell's. Shift+Esc leaves.");
    const help = "copy the command that opens a shell here from any terminal";
    const copyButton = h("button", { title: help, click: copyCommand }, "Copy command");
    const title = h("span", { class: "lt-title" });
    const screen = h("div", { class: "lt-screen" });
    const said = h("p", { class: "lt-said", hidden: true });
    const voice = h("div", { class: "lt-voice", role: "status", "aria-live": "polite" });
    const root = h("section", {
      class: "labkit-terminal",
      tabindex: -1,
      keydown: (event) => event.metaKey || event.stopPropagation(), // Ctrl+S, as any other, is the terminal's
    }, h("header", { class: "lt-head" }, title, how, copyButton), screen, said, voice);

    function send(message) {
      if (!dead() && !model.get("ended")) model.send(message);
    }

    // xterm.js measures letters when it is opened, so the screen has to be on the page by then

    function open() {
      const stage = model.get("theme") === "stage";
      terminal = new xterm.Terminal({
        cols: 80, rows: 18, fontFamily: MONO, fontSize: stage ? 22 : 14, cursorBlink: false, scrollback: 5000,
        screenReaderMode: true, theme: stage ? COLOURS.stage : COLOURS.normal,
      });
      terminal.open(screen);
      terminal.textarea?.setAttribute("aria-label", `terminal in ${model.get("where")}`);
      const typed = (text) => send({ op: "type", text });
      if (terminal.onData) terminal.onData(typed);
      else terminal.on("data", typed); // before version 4
      terminal.attachCustomKeyEventHandler((event) => {
        if (event.key !== "Escape" || !event.shiftKey) return true;
        root.focus();
        return false;
      });
      fit();
      model.send({ op: "hello", view: me });
    }

    /** As many rows and columns as there is room for. */
    function fit() {
      const letters = screen.querySelector(".xterm-screen");
      if (!letters?.clientWidth) return;
      const room = getComputedStyle(screen);
      const padding = (...sides) => sides.reduce((sum, side) => sum + parseFloat(room[`padding${side}`]), 0);
      const wide = screen.clientWidth - padding("Left", "Right") - 16; // for the scroll bar
      const high = screen.clientHeight - padding("Top", "Bottom");
      const columns = Math.max(2, Math.floor((wide * terminal.cols) / letters.clientWidth));
      const rows = Math.max(1, Math.floor((high * terminal.rows) / letters.clientHeight));
      if (columns !== terminal.cols || rows !== terminal.rows) terminal.resize(columns, rows);
      send({ op: "size", rows, columns });
    }

    // what arrives

    function onMessage(message, buffers) {
      const data = buffers?.[0];
      if (message?.again === me) {
        known = message.total;
        draw(data, known);
      } else if (message?.again === undefined && known >= 0 && message?.total > known) {
        known = message.total;
        draw(data, known);
      }
    }

    /** Put it on the screen and say so. Versions of xterm.js before 4 do not tell when they have. */
    function draw(data, total) {
      const done = () => send({ op: "drawn", total });
      const text = decoder.decode(data, { stream: true });
      terminal.write(text, done);
      if (terminal.write.length < 2) requestAnimationFrame(done);
    }

    function onState() {
      const words = dead()
        ? GONE
        : model.get("ended") ? "The shell has ended. Run the cell again for a new one." : "";
      said.textContent = voice.textContent = words;
      said.hidden = !words;
    }

    async function copyCommand() {
      const done = await copy(model.get("command"));
      copyButton.textContent = done ? "Copied ✓" : "Not allowed";
      setTimeout(() => (copyButton.textContent = "Copy command"), 1500);
    }

    function follow() {
      root.dataset.theme = model.get("theme");
      const stage = model.get("theme") === "stage";
      if (!terminal) return;
      const options = { fontSize: stage ? 22 : 14, theme: stage ? COLOURS.stage : COLOURS.normal };
      for (const [name, value] of Object.entries(options)) {
        if (terminal.setOption) terminal.setOption(name, value);
        else terminal.options[name] = value;
      }
      fit();
    }

    title.textContent = `Terminal in ${model.get("where")}`;
    root.setAttribute("aria-label", title.textContent);
    const listeners = [
      ["msg:custom", onMessage], ["change:ended", onState], ["change:theme", follow], ["comm_live_update", onState],
    ];
    for (const [event, listener] of listeners) model.on(event, listener);
    const watch = new ResizeObserver(() => {
      if (!screen.clientWidth) return;
      if (terminal) fit();
      else open();
    });
    follow();
    onState();
    el.append(root);
    saveSoon(model);
    watch.observe(screen);
    return () => {
      watch.disconnect();
      for (const [event, listener] of listeners) model.off(event, listener);
      terminal?.dispose();
    };
  },
};
