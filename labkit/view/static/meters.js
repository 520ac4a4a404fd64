// What a live panel has been told of its containers: a table of readings on an even grid of time, and the events.
// The kernel sends rows (labkit.view.gauges: a double and eleven floats, little-endian); whatever comes twice is known.

export const COLUMNS = [
  "cpu", "throttled", "memory", "swap", "read", "written", "processes", "waits_cpu", "waits_memory", "waits_io",
];
const ROW = 8 + 4 * (COLUMNS.length + 1);

export class Meters {
  /** `rates`: by container, how many readings a second there are. */
  constructor(rates, minutes) {
    const hz = Math.max(...rates);
    this.hz = hz;
    this.patience = rates.map((rate) => Math.max(1.5, 2.5 / rate) * hz); // rows after which something is missing
    this.room = Math.ceil(60 * minutes * hz) + 1; // rows that are kept
    this.base = null; // the number of the first row: its time, times hz
    this.length = 0;
    this.tables = rates.map(() => Object.fromEntries(COLUMNS.map((name) => [name, []])));
    this.last = rates.map(() => -Infinity);
    this.events = [];
    this.known = new Set();
  }

  /** One message and its buffer. Returns the events that are new. */
  take({ events }, data) {
    for (let at = 0; at + ROW <= data.byteLength; at += ROW) {
      this.put(data.getFloat32(at + 8, true), data.getFloat64(at, true), (n) => data.getFloat32(at + 12 + 4 * n, true));
    }
    const fresh = events.filter((event) => {
      const key = `${event.of} ${event.kind} ${event.at}`;
      return !this.known.has(key) && this.known.add(key);
    });
    this.events.push(...fresh);
    this.forget();
    return fresh;
  }

  put(of, time, value) {
    const number = Math.round(time * this.hz);
    if (this.base === null) this.begin(number);
    if (number <= this.last[of] || number < this.base) return;
    if (number - this.base > 4 * this.room) this.begin(number); // nothing of the past is left to be shown
    this.grow(number - this.base + 1);
    const table = this.tables[of];
    // undefined: no reading fell here, the line goes on; null: there was none for long, and it does not
    const gap = number - this.last[of] > this.patience[of] && this.last[of] >= this.base;
    COLUMNS.forEach((name, n) => {
      const read = value(n);
      if (gap) table[name][number - 1 - this.base] = null;
      table[name][number - this.base] = Number.isNaN(read) ? undefined : read;
    });
    this.last[of] = number;
  }

  begin(number) {
    this.base = number - this.room + 1;
    this.length = 0;
    for (const table of this.tables) for (const name of COLUMNS) table[name].length = 0;
    this.grow(this.room);
  }

  grow(length) {
    for (; this.length < length; this.length += 1) {
      for (const table of this.tables) for (const name of COLUMNS) table[name].push(undefined);
    }
  }

  /** Drop what is older than is to be kept; now and then, for it costs a little. */
  forget() {
    const extra = this.length - this.room;
    if (extra < 30 * this.hz) return;
    for (const table of this.tables) for (const name of COLUMNS) table[name].splice(0, extra);
    this.base += extra;
    this.length -= extra;
    this.events = this.events.filter((event) => event.at * this.hz >= this.base);
    this.known = new Set(this.events.map((event) => `${event.of} ${event.kind} ${event.at}`));
  }

  time(index) {
    return (this.base + index) / this.hz;
  }

  /** The row at this time, or the nearest that there is. */
  index(time) {
    return Math.min(this.length - 1, Math.max(0, Math.round(time * this.hz) - this.base));
  }

  /** Until when each container is known: what to ask for after a pause. */
  get have() {
    return this.last.map((number) => (number > 0 ? number / this.hz : 0));
  }

  /** When the newest reading was taken; 0 before the first one. */
  get end() {
    return this.base === null ? 0 : Math.max(...this.last) / this.hz;
  }

  /** A value at a row or shortly before. */
  value(of, name, index) {
    const column = this.tables[of][name];
    for (let at = index; at >= 0 && at > index - this.patience[of]; at -= 1) {
      if (column[at] != null) return column[at];
    }
    return undefined;
  }

  /** The newest value of a container. */
  latest(of, name) {
    return this.base === null ? undefined : this.value(of, name, this.last[of] - this.base);
  }

  /** All as text: a line for each reading of each container, with what happened up to it. */
  csv(names) {
    const quoted = (text) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
    const happened = new Map();
    for (const event of this.events) {
      const key = `${Math.round(event.at * this.hz)} ${event.of}`;
      const told = event.victim ? `${event.kind}: ${event.victim}` : event.kind;
      happened.set(key, [...(happened.get(key) ?? []), told]);
    }
    const lines = [["time", "container", ...COLUMNS, "events"].join(",")];
    for (let index = 0; index < this.length; index += 1) {
      for (let of = 0; of < names.length; of += 1) {
        const values = COLUMNS.map((name) => this.tables[of][name][index]);
        const events = happened.get(`${this.base + index} ${of}`) ?? [];
        if (values.every((value) => value == null) && !events.length) continue;
        const cells = values.map((value) => (value == null ? "" : String(Math.round(value * 100) / 100)));
        lines.push([this.time(index).toFixed(2), quoted(names[of]), ...cells, quoted(events.join("; "))].join(","));
      }
    }
    return `${lines.join("\n")}\n`;
  }
}
