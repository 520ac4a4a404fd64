// The live panel. Each view draws from what the page knows (`source`), and only while it can be seen.

import { h, keepKeys, lifeline, recordedBadge, saveSoon, GONE } from "./parts.js";
import { clock } from "./units.js";
import { Chart } from "./chart.js";
import { sliders } from "./knobs.js";
import { readings } from "./readings.js";
import { source } from "./source.js";

const WINDOWS = [[15, "15 s"], [60, "1 min"], [180, "3 min"], [600, "10 min"], [1800, "30 min"], [3600, "60 min"]];
const TOLD = { oom: "out of memory", refused: "fork refused", frozen: "frozen", thawed: "thawed", ended: "ended" };
const BURST = 3; // seconds: what happens again within them is told in the same line
const PER_SECOND = 4; // figures change so often; lines as often as there is something new

function render({ model, el }, { meters, ask, enter, leave }) {
  const names = model.get("names");
  const minutes = model.get("minutes");
  const dead = lifeline(model);
  const hidden = new Set();
  let range = Math.min(60, 60 * minutes); // seconds that are shown
  let still = null; // [from, to] while the panel stands still
  let pointed = null; // the time under the pointer
  let [seen, due, drawn, figured, last] = [false, null, 0, 0, 0];
  const told = []; // the lines of the log

  const panel = {
    meters, names, colours: [], style: {}, key: Math.random().toString(36).slice(2),
    limits: () => model.get("limits"),
    visible: (of) => !hidden.has(of),
    redraw: () => draw(true),
    live() {
      still = null;
      onState();
      draw(true);
    },
    zoom(from, to) {
      still = [from, Math.max(to, from + 1)];
      onState();
      draw(true);
    },
    hover(time) {
      if (time === pointed) return;
      pointed = time;
      figures(true);
    },
  };

  // what stands on the page

  const charts = model.get("charts").map((name) => new Chart(name, panel));
  const table = readings({
    names, colours: panel.colours, meters,
    toggle(of) {
      if (!hidden.delete(of)) hidden.add(of);
      for (const chart of charts) chart.build();
      draw(true);
      return !hidden.has(of);
    },
  });
  const knobs = sliders({ names, knobs: model.get("knobs"), limits: panel.limits, ask: timed });
  const pause = h("button", { class: "lp-button lv-pause", click: () => (still ? panel.live() : panel.zoom(...between())) });
  const windows = WINDOWS.filter(([seconds]) => seconds <= Math.max(60 * minutes, 15));
  const span = h("select", {
    class: "lv-select", "aria-label": "how much is shown",
    change(event) {
      range = Number(event.target.value);
      panel.live();
    },
  }, windows.map(([seconds, text]) => h("option", { value: seconds, selected: seconds === 60 }, text)));
  if (!windows.some(([seconds]) => seconds === 60)) range = windows.at(-1)[0];
  const tools = h("div", { class: "lv-tools" }, pause, span,
    h("button", { class: "lp-button", title: "all charts as a picture", click: picture }, "PNG"),
    h("button", { class: "lp-button", title: "all readings as a table", click: () => save(new Blob([meters.csv(names)], { type: "text/csv" }), "csv") }, "CSV"));
  const title = h("span", { class: "lp-plan" }, names.length > 3 ? `${names.length} containers` : names.join(", "));
  const state = h("span", { class: "lv-state", role: "status" });
  const log = h("ol", { class: "lv-log", "aria-label": "what happened", "aria-live": "polite" });
  const root = h("section", {
    class: "labkit-player labkit-live", "aria-label": `live panel of ${names.join(", ")}`,
    keydown: keepKeys,
  }, recordedBadge(model.get("recorded")), h("header", { class: "lv-head" }, title, state, tools), h("div", { class: "lv-scroll" }, table.node),
    h("div", { class: "lv-charts" }, charts.map((chart) => chart.node), h("div", {}, knobs.node, log)));

  // drawing

  function between() {
    return still ?? [meters.end - range, meters.end];
  }

  /** Draw when it is worth it: a line that would not have moved by a pixel is not drawn again. */
  function draw(now = false) {
    if (!seen || document.hidden || (due !== null && !now)) return;
    const wide = charts[0]?.plot?.bbox.width || 400;
    const wait = now ? 0 : Math.max(0, drawn + Math.max(90, (1000 * range) / wide) - performance.now());
    if (due !== null) clearTimeout(due);
    due = setTimeout(() => requestAnimationFrame(frame), wait);
  }

  function frame() {
    due = null;
    drawn = performance.now();
    const [from, to] = between();
    for (const chart of charts) chart.draw(from, to, !still);
    figures();
    if (last) root.dataset.lag = Math.round(Date.now() - 1000 * last); // from the event to its mark
    last = 0;
  }

  function figures(now = false) {
    if (!now && performance.now() < figured + 1000 / PER_SECOND) return;
    figured = performance.now();
    table.show(pointed ?? (still ? still[1] : null));
  }

  /** Colours and sizes are those of the style sheet. */
  function paint() {
    const css = getComputedStyle(root);
    const variable = (name) => css.getPropertyValue(name).trim();
    const letter = 0.86 * parseFloat(css.fontSize); // for uPlot, which knows how dense the screen is
    const em = letter * devicePixelRatio; // for what is drawn on its canvas
    const stage = root.dataset.theme === "stage";
    names.forEach((_, of) => (panel.colours[of] = variable(`--line-${(of % 5) + 1}`)));
    Object.assign(panel.style, {
      em, letter, axis: `${letter}px ${css.fontFamily}`, font: `${em}px ${css.fontFamily}`, ink: css.color, ground: css.backgroundColor,
      bad: variable("--gone"), grid: variable("--grid"), thick: stage ? 4 : 2, thin: (stage ? 2.5 : 1.5) * devicePixelRatio,
    });
    panel.style.bold = `600 ${em}px ${css.fontFamily}`;
    table.paint();
    for (const chart of charts) chart.build();
    draw(true);
  }

  // what happens

  const view = {
    news(fresh) {
      const news = fresh.filter((event) => event.kind in TOLD);
      for (const event of news) tell(event);
      draw(news.length > 0);
      if (news.length) last = news.at(-1).at;
    },
  };

  /** One line of the log: the newest three, in the order of time, though the past may come later than the present. */
  function tell({ of, kind, at, count, victim, pid }) {
    const same = (one) => one.of === of && one.kind === kind && one.victim === victim && Math.abs(at - one.at) < BURST;
    let line = told.find(same);
    if (!line) {
      line = { of, kind, victim, at, count: 0, node: h("li", { class: `lv-${kind}` }) };
      told.push(line);
      told.sort((one, other) => one.at - other.at);
      if (told.length > 3) told.shift();
      log.replaceChildren(...told.map(({ node }) => node));
    }
    line.count += count;
    line.at = Math.max(at, line.at);
    const times = line.count > 1 ? ` ${line.count} times` : "";
    const whom = victim ? `: ${victim} (pid ${pid}) was killed` : "";
    line.node.replaceChildren(h("time", {}, clock(line.at)), ` ${names[of]}: ${TOLD[kind]}${times}${whom}`);
  }

  async function timed(of, name, value) {
    const pressed = performance.now();
    const wrong = await ask(of, name, value);
    root.dataset.ms = Math.round(performance.now() - pressed);
    return wrong;
  }

  function onState() {
    pause.textContent = still ? "Live" : "Pause";
    const over = dead() ? GONE : model.get("ended") ? "It has ended; drag to zoom." : "";
    state.textContent = over || (still ? "It stands still: Live goes on." : "");
    root.classList.toggle("lv-over", Boolean(over));
  }

  function onLimits() {
    knobs.follow();
    draw();
  }

  // taking it away

  function save(blob, ending) {
    const link = h("a", { href: URL.createObjectURL(blob), download: `${names.slice(0, 3).join("-")}.${ending}` });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }

  function picture() {
    const { em, ground, ink, bold } = panel.style;
    const canvases = charts.map((chart) => chart.plot?.ctx.canvas);
    const [wide, high] = [Math.max(...canvases.map((c) => c?.width ?? 0)), Math.max(...canvases.map((c) => c?.height ?? 0)) + 2 * em];
    const across = charts.length > 1 ? 2 : 1;
    const sheet = h("canvas", { width: across * wide, height: Math.ceil(charts.length / across) * high + 2 * em });
    const ctx = sheet.getContext("2d");
    ctx.fillStyle = ground;
    ctx.fillRect(0, 0, sheet.width, sheet.height);
    ctx.font = bold;
    let x = em;
    names.forEach((name, of) => {
      ctx.fillStyle = panel.colours[of];
      ctx.fillText(`${of + 1} ${name}`, x, 1.4 * em);
      x += ctx.measureText(`${of + 1} ${name}`).width + 1.5 * em;
    });
    charts.forEach((chart, n) => {
      const [left, top] = [(n % across) * wide, 2 * em + Math.floor(n / across) * high];
      ctx.fillStyle = ink;
      ctx.fillText(`${chart.spec.title}  ${chart.remark.textContent}`, left + em, top + 1.3 * em);
      if (canvases[n]) ctx.drawImage(canvases[n], left, top + 2 * em);
    });
    sheet.toBlob((blob) => save(blob, "png"));
  }

  function follow() {
    root.dataset.theme = model.get("theme");
    requestAnimationFrame(paint);
  }

  const listeners = [
    ["change:limits", onLimits], ["change:ended", onState], ["change:theme", follow], ["comm_live_update", onState],
  ];
  for (const [event, listener] of listeners) model.on(event, listener);
  const watch = new IntersectionObserver(([entry]) => {
    seen = entry.isIntersecting;
    draw(true);
  });
  const around = new MutationObserver(follow); // JupyterLab's own theme, which `normal` takes
  around.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-name", "class"] });
  const shown = () => draw(true);
  document.addEventListener("visibilitychange", shown);
  el.append(root);
  saveSoon(model);
  follow();
  onState();
  for (const event of meters.events.filter(({ kind }) => kind in TOLD)) tell(event);
  watch.observe(root);
  enter(view);
  return () => {
    leave(view);
    watch.disconnect();
    around.disconnect();
    clearTimeout(due);
    document.removeEventListener("visibilitychange", shown);
    for (const [event, listener] of listeners) model.off(event, listener);
    for (const chart of charts) chart.destroy();
  };
}

export default () => {
  let known = null;
  return {
    initialize({ model }) {
      known = source(model);
      return known.close;
    },
    render: (context) => render(context, known),
  };
};
