// What is drawn on a chart beside its lines: limits as steps, shading where somebody was throttled, flags for events,
// and the number of each container at the end of its line. All sizes are in pixels of the canvas.

/** Shade where the quota was used up: the whole height for one container, a bar each for several. */
export function throttled(u, style, bars, alone) {
  const { ctx, bbox } = u;
  const xs = u.data[0];
  const step = xs.length > 1 ? u.valToPos(xs[1], "x", true) - u.valToPos(xs[0], "x", true) : 0;
  const high = alone ? bbox.height : bar(u, style, bars.length);
  ctx.save();
  bars.forEach(({ colour, values }, row) => {
    ctx.fillStyle = colour;
    let from = 0;
    while (from < values.length) {
      const level = shade(values[from]);
      let to = from + 1;
      while (to < values.length && shade(values[to]) === level) to += 1;
      if (level) {
        const left = Math.max(bbox.left, u.valToPos(xs[from], "x", true) - step);
        ctx.globalAlpha = alone ? 0.06 + 0.035 * level : 0.3 + 0.17 * level;
        ctx.fillRect(left, bbox.top + row * high, u.valToPos(xs[to - 1], "x", true) - left, alone ? high : high - 1);
      }
      from = to;
    }
  });
  ctx.restore();
}

/** How high the bar of each of so many containers is. */
export const bar = (u, style, count) => Math.min(style.em * 0.5, (u.bbox.height * 0.35) / count);

/** None, a little, half, most, all. */
const shade = (value) => (value > 0 ? 1 + Math.min(3, Math.floor(value / 25)) : 0);

/** A limit as it was in force: steps from change to change. Returns where it is now, for its label. */
export function steps(u, style, { history, name, factor, colour, dash }) {
  const { ctx, bbox } = u;
  const right = bbox.left + bbox.width;
  let y = null;
  ctx.save();
  clip(u);
  ctx.strokeStyle = colour;
  ctx.lineWidth = style.thin;
  ctx.setLineDash(dash.map((length) => length * style.thin));
  ctx.beginPath();
  history.forEach((limits, n) => {
    const value = limits[name];
    const end = n + 1 < history.length ? u.valToPos(history[n + 1].at, "x", true) : right;
    const begin = n ? u.valToPos(limits.at, "x", true) : bbox.left;
    if (value === undefined) {
      y = null;
    } else if (end >= bbox.left) {
      const next = u.valToPos(value / factor, "y", true);
      if (y === null) ctx.moveTo(Math.max(begin, bbox.left), next);
      else ctx.lineTo(Math.max(begin, bbox.left), next);
      ctx.lineTo(end, next);
      y = next;
    }
  });
  ctx.stroke();
  ctx.restore();
  return y;
}

/** Words at limits, at the left, where no line ends; what would lie on another is moved below it. */
export function labels(u, style, told) {
  const { ctx, bbox } = u;
  ctx.save();
  ctx.font = style.font;
  ctx.textBaseline = "bottom";
  ctx.textAlign = "left";
  const taken = [];
  for (const { text, y, colour } of told) {
    if (y < bbox.top - 1 || y > bbox.top + bbox.height + 1) continue;
    let bottom = y - 2 - style.em < bbox.top ? y + style.em * 1.15 : y - 2;
    while (taken.some((other) => Math.abs(other - bottom) < style.em)) bottom += style.em * 1.1;
    taken.push(bottom);
    paper(ctx, style, text, bbox.left + 6, bottom, colour);
  }
  ctx.restore();
}

/** A line down the chart for each event, and what happened in words, in rows until they would overlap. */
export function flags(u, style, events) {
  const { ctx, bbox } = u;
  const ends = [-Infinity, -Infinity, -Infinity];
  ctx.save();
  ctx.font = style.bold;
  ctx.textBaseline = "bottom";
  ctx.textAlign = "left";
  ctx.lineWidth = style.thin;
  for (const { at, until, text, colour } of events) {
    const x = u.valToPos(at, "x", true);
    ctx.fillStyle = colour;
    ctx.globalAlpha = 0.25;
    ctx.fillRect(x, bbox.top, Math.min(u.valToPos(until, "x", true), bbox.left + bbox.width) - x, style.em * 0.5);
    ctx.globalAlpha = 1;
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    ctx.strokeStyle = colour;
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    const wide = ctx.measureText(text).width + 8;
    const left = Math.min(x + 3, bbox.left + bbox.width - wide);
    const row = ends.findIndex((end) => end <= left);
    if (row < 0) continue;
    ends[row] = left + wide;
    paper(ctx, style, text, left + 2, bbox.top + (row + 1) * style.em * 1.25, colour);
  }
  ctx.restore();
}

/** Small triangles on the floor: memory was taken back, or its user slowed. */
export function teeth(u, style, events) {
  const { ctx, bbox } = u;
  const size = style.em * 0.3;
  const floor = bbox.top + bbox.height;
  let before = -Infinity;
  ctx.save();
  clip(u);
  for (const { at, colour } of events) {
    const x = u.valToPos(at, "x", true);
    if (x - before < 1) continue;
    before = x;
    ctx.fillStyle = colour;
    ctx.beginPath();
    ctx.moveTo(x, floor - 1.6 * size);
    ctx.lineTo(x + size / 2, floor);
    ctx.lineTo(x - size / 2, floor);
    ctx.fill();
  }
  ctx.restore();
}

/** The names of the lines at their ends, pushed apart where they would lie on each other. */
export function ends(u, style, told) {
  const { ctx, bbox } = u;
  const sorted = told
    .map((one) => ({ ...one, y: Math.min(bbox.top + bbox.height, Math.max(bbox.top, u.valToPos(one.value, "y", true))) }))
    .sort((one, other) => one.y - other.y);
  const high = Math.min(style.em * 1.05, bbox.height / Math.max(1, sorted.length));
  sorted.forEach((one) => (one.y = Math.min(one.y, bbox.top + bbox.height - style.em * 0.35)));
  for (let n = 1; n < sorted.length; n += 1) sorted[n].y = Math.max(sorted[n].y, sorted[n - 1].y + high);
  let floor = bbox.top + bbox.height - style.em * 0.35;
  for (let n = sorted.length - 1; n >= 0 && sorted[n].y > floor; n -= 1, floor -= high) sorted[n].y = floor;
  ctx.save();
  ctx.font = style.bold;
  ctx.textBaseline = "middle";
  ctx.textAlign = "left";
  for (const { text, y, colour } of sorted) {
    ctx.fillStyle = colour;
    ctx.fillText(text, bbox.left + bbox.width + 5, y);
  }
  ctx.restore();
}

/** Text on a little ground of its own, so that lines under it do not cross it out. */
function paper(ctx, style, text, x, bottom, colour) {
  const wide = ctx.measureText(text).width;
  ctx.globalAlpha = 0.82;
  ctx.fillStyle = style.ground;
  ctx.fillRect(x - 2, bottom - style.em * 1.1, wide + 4, style.em * 1.15);
  ctx.globalAlpha = 1;
  ctx.fillStyle = colour;
  ctx.fillText(text, x, bottom);
}

function clip({ ctx, bbox }) {
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
}
