// Numbers as the panel says them.

export const MIB = 2 ** 20;

export const percent = (value) => `${value < 9.95 && value > 0 ? value.toFixed(1) : Math.round(value)} %`;

export function bytes(value) {
  if (value < 1024) return `${Math.round(value)} B`;
  const [number, unit] = value < MIB ? [value / 1024, "KiB"] : value < 2 ** 30 ? [value / MIB, "MiB"] : [value / 2 ** 30, "GiB"];
  return `${Number(number.toFixed(number < 9.95 ? 1 : 0))} ${unit}`;
}

export const rate = (value) => `${bytes(value)}/s`;

export const whole = (value) => String(Math.round(value));

/** "25 % of a CPU", "2 CPUs". */
export const cpus = (value) => (value < 1 ? `${Math.round(100 * value)} % of a CPU` : `${Number(value.toFixed(2))} CPU`);

/** The time of day: 12:03:41. */
export const clock = (seconds) => new Date(1000 * seconds).toTimeString().slice(0, 8);

/** How long ago: "−40 s", "−5 min"; "now". */
export function ago(seconds) {
  const back = Math.round(seconds);
  if (!back) return "now";
  return back % 60 ? `−${back} s` : `−${back / 60} min`;
}
