// One chart of the live panel, drawn by uPlot, which labkit.view.panel puts before this file. It reads from the
// meters what lies between two times and keeps nothing itself.

import { h } from "./parts.js";
import { MIB, ago, bytes, clock, percent, rate, whole } from "./units.js";
import { bar, ends, flags, labels, steps, teeth, throttled } from "./marks.js";

const DECIMAL = [1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10];
const INCREMENTS = [1, 2, 5].flatMap((n) => [0.01, 0.1, 1, 10, 100, 1000, 10000].map((power) => n * power)).sort((a, b) => a - b);
const POWERS = Array.from({ length: 28 }, (_, n) => 2 ** (n - 8));

/** Lines: [column, sign, dash, name]. Limits: [name, the word at its line, dash, sign]. */
export const CHARTS = {
  cpu: {
    title: "CPU", unit: "% of one CPU", factor: 1, least: 10, told: percent,
    lines: [["cpu", 1, []]], limits: [["cpu", "limit", [6, 3], 1]],
    flags: { frozen: "frozen", thawed: "thawed", ended: "ended" },
  },
  memory: {
    title: "Memory", unit: "MiB", factor: MIB, least: 1, told: bytes,
    lines: [["memory", 1, []]], limits: [["memory", "max", [6, 3], 1], ["memory_high", "high", [2, 3], 1]],
    flags: { oom: "OOM" }, teeth: ["slowed, or taken back", ["high", "max"]],
  },
  io: {
    title: "Disks", unit: "MiB/s, read ↑ written ↓", factor: MIB, least: 0.125, told: rate,
    lines: [["read", 1, []], ["written", -1, []]], limits: [["rbps", "read max", [6, 3], 1], ["wbps", "write max", [6, 3], -1]],
    flags: {},
  },
  processes: {
    title: "Processes", unit: "", factor: 1, least: 4, told: whole, stepped: true,
    lines: [["processes", 1, []]], limits: [["pids", "max", [6, 3], 1]],
    flags: { refused: "refused" },
  },
  pressure: {
    title: "Pressure", unit: "% of time, waiting for", factor: 1, least: 10, most: 100, told: percent,
    lines: [["waits_cpu", 1, [], "CPU"], ["waits_memory", 1, [7, 3], "memory"], ["waits_io", 1, [2, 3], "disk"]], limits: [],
    flags: {}, teeth: ["hardly anything else but waiting for memory", ["pressure"]],
  },
};

export class Chart {
  /** `panel` has: meters, names, limits(), colours, style, visible(of), key, and hears zoom, live and hover. */
  constructor(name, panel) {
    this.panel = panel;
    this.spec = CHARTS[name];
    this.bars = []; // who was throttled in what is shown
    this.kind = 0; // which pressure is shown, where several containers leave room for one
    this.holder = h("div", { class: "lv-plot" });
    this.missing = h("p", { class: "lv-missing", hidden: true }, "not counted here");
    this.remark = h("span", { class: "lv-unit" });
    this.choice = this.spec.lines.length === 3 ? this.choose() : null;
    this.node = h("figure", { class: "lv-chart", "data-chart": name },
      h("figcaption", {}, h("b", {}, this.spec.title), this.remark, this.choice), this.holder, this.missing);
    this.size = new ResizeObserver(() => this.resize());
    this.size.observe(this.holder);
  }

  choose() {
    const options = this.spec.lines.map(([, , , word], n) => h("option", { value: n }, word));
    const change = (event) => {
      this.kind = Number(event.target.value);
      this.build();
      this.panel.redraw();
    };
    return h("select", { class: "lv-select", "aria-label": "pressure of", change }, options);
  }

  /** The lines that are drawn: [container, column, sign, dash, name]. */
  lines() {
    const { names } = this.panel;
    const alone = names.length === 1;
    const chosen = this.choice && !alone ? [this.spec.lines[this.kind]] : this.spec.lines;
    if (this.choice) this.choice.hidden = alone;
    return names.flatMap((_, of) => chosen.map(([column, sign, dash, word]) => {
      const second = of >= 5 && !this.choice ? [8, 4] : of >= 5 ? [4, 2, 1, 2] : dash;
      return { of, column, sign, dash: second, word: alone ? word : undefined };
    }));
  }

  build() {
    this.plot?.destroy();
    this.plot = null;
    const { clientWidth: width, clientHeight: height } = this.holder;
    if (!width || !height) return;
    const { panel, spec } = this;
    const { style } = panel;
    this.drawn = this.lines();
    this.top = this.floor = 0;
    const scaled = (list) => list.map((n) => n * style.thin);
    const font = style.axis;
    const grid = { stroke: style.grid, width: 1 };
    const axis = { stroke: style.ink, font, grid, ticks: { show: false } };
    const long = spec.lines.length === 3 && panel.names.length === 1;
    const options = {
      width, height, pxAlign: 0, legend: { show: false },
      padding: [style.letter * 0.6, style.letter * (long ? 5.4 : panel.names.length > 1 ? 2.2 : 1.6), 0, 0],
      scales: { x: { time: false, auto: false }, y: { range: () => [this.floor, this.top] } },
      axes: [
        { ...axis, size: style.letter * 2, gap: 7, splits: (u) => this.times(u), values: (u, at) => this.when(u, at) },
        {
          ...axis, size: style.letter * 3.4, gap: 6, space: style.letter * 2.1, incrs: spec.factor === 1 ? INCREMENTS : POWERS,
          values: (u, values) => values.map((value) => Math.abs(Number(value.toFixed(3)))),
        },
      ],
      series: [{}, ...this.drawn.map(({ of, dash }) => ({
        stroke: panel.colours[of], width: style.thick, dash: scaled(dash), points: { show: false }, show: panel.visible(of),
        paths: spec.stepped ? uPlot.paths.stepped({ align: -1 }) : uPlot.paths.linear(),
      }))],
      cursor: {
        y: false, points: { show: false }, sync: { key: panel.key }, drag: { x: true, y: false, setScale: false },
        bind: { dblclick: () => () => panel.live() },
      },
      hooks: {
        drawClear: [(u) => this.under(u)],
        draw: [(u) => this.over(u)],
        setSelect: [(u) => this.select(u)],
        setCursor: [(u) => panel.hover(u.cursor.idx == null ? null : u.data[0][u.cursor.idx])],
      },
    };
    this.plot = new uPlot(options, [[], ...this.drawn.map(() => [])], this.holder);
  }

  resize() {
    const { clientWidth: width, clientHeight: height } = this.holder;
    if (!width || !height) return;
    if (this.plot) this.plot.setSize({ width, height });
    else this.build();
    this.panel.redraw();
  }

  /** Draw what lies between two times. `now`: the right edge is this moment. */
  draw(from, to, now) {
    const { plot, panel: { meters, visible } } = this;
    if (!plot || meters.base === null) return;
    const first = Math.max(0, meters.index(from) - 1);
    const last = Math.min(meters.length, meters.index(to) + 2);
    const xs = Array.from({ length: last - first }, (_, n) => meters.time(first + n));
    const { factor } = this.spec;
    let [low, high, counted] = [0, 0, false];
    const data = this.drawn.map(({ of, column, sign }) => {
      const values = meters.tables[of][column].slice(first, last);
      const shown = visible(of);
      for (let n = 0; n < values.length; n += 1) {
        if (values[n] == null) continue;
        counted = true;
        values[n] *= sign / factor;
        if (shown && values[n] > high) high = values[n];
        if (shown && values[n] < low) low = values[n];
      }
      return values;
    });
    this.missing.hidden = counted || !meters.end;
    this.bars = this.spec === CHARTS.cpu ? this.throttled(first, last) : [];
    this.stretch(low, high);
    this.now = now;
    plot.batch(() => {
      plot.setData([xs, ...data], false);
      plot.setScale("x", { min: from, max: to });
    });
  }

  /** Who was throttled between two rows, and when. */
  throttled(first, last) {
    const { meters, names, visible, colours } = this.panel;
    const all = names.map((_, of) => ({ of, colour: colours[of], values: meters.tables[of].throttled.slice(first, last) }));
    return all.filter(({ of, values }) => visible(of) && values.some((value) => value > 0));
  }

  /** Choose a height for the axis that is steady: a limit that is near is part of it. */
  stretch(low, high) {
    const { panel: { limits, names, visible }, spec } = this;
    for (const [name, , , sign] of spec.limits) {
      for (let of = 0; of < names.length; of += 1) {
        const now = limits()[of].at(-1)[name];
        const value = now / spec.factor;
        if (!visible(of) || now === undefined) continue;
        if (sign > 0 && value <= 6 * Math.max(high, spec.least)) high = Math.max(high, value);
        if (sign < 0 && value <= 6 * Math.max(-low, spec.least)) low = Math.min(low, -value);
      }
    }
    const settle = (need, before) => (need <= before && need > 0.4 * before ? before : round(need, spec.factor !== 1));
    const bars = names.filter((_, of) => visible(of)).length > 1 && this.bars.length; // they want a place of their own
    const share = bars ? (bars * bar(this.plot, this.panel.style, bars)) / this.plot.bbox.height : 0;
    this.top = settle(Math.max(spec.least, Math.min((high * 1.1) / (1 - share), spec.most ?? Infinity)), this.top);
    this.floor = spec.lines[1]?.[1] < 0 ? -settle(Math.max(spec.least, -low * 1.1), -this.floor) : 0;
  }

  under(u) {
    const { names, visible, style } = this.panel;
    const { ctx, bbox } = u;
    ctx.save();
    ctx.fillStyle = style.ground; // for who takes the picture away
    ctx.fillRect(0, 0, ctx.canvas.width, ctx.canvas.height);
    ctx.restore();
    if (this.floor < 0) {
      const zero = u.valToPos(0, "y", true);
      ctx.fillStyle = style.ink;
      ctx.fillRect(bbox.left, zero, bbox.width, 1);
    }
    if (this.spec !== CHARTS.cpu) return;
    const alone = names.filter((_, of) => visible(of)).length === 1;
    throttled(u, style, this.bars, alone);
    this.say(this.bars.length ? `${this.spec.unit}; ${alone ? "shaded" : "bars on top"}: throttled` : this.spec.unit);
  }

  over(u) {
    const { meters, names, visible, colours, style, limits } = this.panel;
    const { spec } = this;
    if (u.data[0].length < 2) return;
    const seen = names.map((_, of) => of).filter(visible);
    const many = names.length > 1;
    const words = [];
    for (const [name, word, dash, sign] of spec.limits) {
      for (const of of seen) {
        const y = steps(u, style, { history: limits()[of], name, factor: sign * spec.factor, colour: colours[of], dash });
        const now = limits()[of].at(-1)[name];
        if (y === null || now === undefined) continue;
        const text = `${word} ${spec.told(now)}`;
        const same = words.find((other) => other.word === text);
        if (same) same.of.push(of + 1);
        else words.push({ word: text, of: [of + 1], y, colour: colours[of] });
      }
    }
    for (const one of words) one.text = many ? `${one.of.join(" ")}: ${one.word}` : one.word;
    if (words.length <= 3) labels(u, style, words); // more would hide what they are about
    const here = meters.events.filter((event) => visible(event.of) && event.at >= u.data[0][0]);
    const flagged = bursts(here.filter((event) => event.kind in spec.flags)).map(({ of, kind, at, until, count, victim }) => ({
      at, until, colour: kind === "oom" || kind === "refused" ? style.bad : style.ink,
      text: `${many ? `${of + 1} ` : ""}${spec.flags[kind]}${victim ? `: ${victim}` : ""}${count > 1 ? ` ${count}×` : ""}`,
    }));
    if (spec.teeth) {
      const [words, kinds] = spec.teeth;
      const bitten = here.filter((event) => kinds.includes(event.kind));
      teeth(u, style, bitten.map(({ at, of }) => ({ at, colour: colours[of] })));
      this.say(bitten.length ? `${spec.unit}; ▲ ${words}` : spec.unit);
    } else if (spec !== CHARTS.cpu) {
      this.say(spec.unit);
    }
    flags(u, style, flagged);
    const told = this.drawn.filter(({ of, sign, word }) => visible(of) && sign > 0 && (many || word)).map(({ of, column, word }) => ({
      text: word ?? String(of + 1), colour: colours[of], value: meters.value(of, column, meters.index(u.scales.x.max)) / spec.factor,
    }));
    ends(u, style, told.filter(({ value }) => Number.isFinite(value)));
  }

  say(words) {
    if (this.remark.textContent !== words) this.remark.textContent = words;
  }

  select(u) {
    const { left, width } = u.select;
    if (width < 4) return;
    this.panel.zoom(u.posToVal(left, "x"), u.posToVal(left + width, "x"));
    u.setSelect({ left: 0, width: 0 }, false);
  }

  /** Where the axis of time has words: even steps back from now, or round times of the day. */
  times(u) {
    const { min, max } = u.scales.x;
    const room = Math.max(2, Math.floor(u.bbox.width / (this.panel.style.em * (this.now ? 5 : 6.5))));
    const step = [1, 2, 5, 10, 15, 20, 30, 60, 120, 180, 300, 600].find((size) => (max - min) / size <= room) ?? 600;
    const from = this.now ? max : Math.floor(max / step) * step;
    return Array.from({ length: Math.floor((from - min) / step) + 1 }, (_, n) => from - n * step).reverse();
  }

  when(u, times) {
    return times.map((time) => (this.now ? ago(u.scales.x.max - time) : clock(time)));
  }

  destroy() {
    this.size.disconnect();
    this.plot?.destroy();
  }
}

/** The next round number above: 2, 3, 4, 6, 8, 12 … where bytes are counted. */
function round(need, binary) {
  if (binary) {
    const power = 2 ** Math.floor(Math.log2(need));
    return need <= power ? power : need <= 1.5 * power ? 1.5 * power : 2 * power;
  }
  const power = 10 ** Math.floor(Math.log10(need));
  return power * DECIMAL.find((size) => size * power >= need * 0.999);
}

/** What happens again and again to the same container within three seconds gets one flag. */
function bursts(events) {
  const found = [];
  for (const event of events) {
    const before = found.findLast(({ of, kind, victim }) => of === event.of && kind === event.kind && victim === event.victim);
    if (before && event.at - before.until < 3) {
      before.count += event.count;
      before.until = event.at;
    } else {
      found.push({ ...event, until: event.at });
    }
  }
  return found;
}
