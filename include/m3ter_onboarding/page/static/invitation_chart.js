/**
 * Invitations over time: stacked bars, one for each calendar day, and the same as a table.
 *
 * @module
 */

import { dagHash, runHash } from "./addresses.js";
import { fill, h, svg, table } from "./elements.js";
import { exactNumber } from "./formats.js";

/** @typedef {import("../api_types").ChartDay} ChartDay */

/** @type {{ name: "accepted" | "waiting" | "other", label: string }[]} */
const PARTS = [
  { name: "accepted", label: "accepted" },
  { name: "waiting", label: "invited, not accepted yet" },
  { name: "other", label: "expired or refused" },
];
const WIDTH = 720;
const HEIGHT = 200;
const LEFT = 44;
const TOP = 10;
const FOOT = 22;
const TICKS = 4;

/**
 * @param {readonly ChartDay[]} days
 * @param {string} zone whose days they are
 */
export function invitationChart(days, zone) {
  if (days.every((day) => !total(day))) return h("p", { class: "empty" }, `No invitations in ${length(days)}.`);
  const ticks = ticksUpTo(Math.max(...days.map(total)));
  const said = h("p", { class: "said faint" }, "Point at a day, or go to it with the Tab key, to read its figures.");
  const label = `Invitations of ${length(days)}, by day (${zone}) of the run; the same figures are in the table below`;
  return h(
    "figure",
    { class: "chart" },
    svg(
      "svg",
      { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "group", "aria-label": label },
      ticks.map((tick) => line(tick, heightOf(tick, ticks))),
      bars(days, ticks, said),
    ),
    said,
    h("figcaption", {}, PARTS.map(key), h("span", { class: "key" }, `days are those of ${zone}`)),
    h("details", { id: "chart-table" }, h("summary", {}, "As a table"), asTable(days, zone)),
  );
}

/** @param {readonly ChartDay[]} days */
function length(days) {
  return `the last ${days.length} days`;
}

/** @param {ChartDay} day */
function total(day) {
  return PARTS.reduce((sum, { name }) => sum + day[name], 0);
}

/**
 * Return round numbers from 0 on, the last of which is no smaller than the largest figure.
 * @param {number} most
 */
function ticksUpTo(most) {
  const rough = Math.max(1, most / TICKS);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((one) => one * power).find((one) => one >= rough) ?? rough;
  return Array.from({ length: Math.ceil(most / step) + 1 }, (_, place) => place * step);
}

/**
 * @param {number} value
 * @param {readonly number[]} ticks
 */
function heightOf(value, ticks) {
  return (value / (ticks.at(-1) || 1)) * (HEIGHT - FOOT - TOP);
}

/**
 * @param {number} tick
 * @param {number} height
 */
function line(tick, height) {
  const y = HEIGHT - FOOT - height;
  const text = svg("text", { x: LEFT - 6, y: y + 4, "text-anchor": "end", "aria-hidden": "true" }, exactNumber(tick));
  return [svg("line", { x1: LEFT, x2: WIDTH, y1: y, y2: y }), text];
}

/**
 * @param {readonly ChartDay[]} days
 * @param {readonly number[]} ticks
 * @param {HTMLElement} said shows the figures of the day that is pointed at or focused
 */
function bars(days, ticks, said) {
  const step = (WIDTH - LEFT) / Math.max(days.length, 7);
  const labelled = Math.ceil(days.length / 10);
  return days.map((day, position) => {
    const begin = LEFT + position * step;
    const middle = { x: begin + step / 2, y: HEIGHT - 6, "text-anchor": "middle", "aria-hidden": "true" };
    const label = position % labelled === 0 && svg("text", middle, day.day.slice(5));
    return [total(day) > 0 && bar(day, { begin, step }, ticks, said), label];
  });
}

/**
 * @param {ChartDay} day
 * @param {{ begin: number, step: number }} place
 * @param {readonly number[]} ticks
 * @param {HTMLElement} said
 */
function bar(day, { begin, step }, ticks, said) {
  const width = Math.min(step * 0.7, 48);
  const x = begin + (step - width) / 2;
  let y = HEIGHT - FOOT;
  const parts = PARTS.filter(({ name }) => day[name]).map(({ name }) => {
    const height = heightOf(day[name], ticks);
    y -= height;
    return svg("rect", { class: `bar-${name}`, x, y, width, height });
  });
  const figures = PARTS.filter(({ name }) => day[name]).map(({ name, label }) => `${exactNumber(day[name])} ${label}`);
  const href = hrefOf(day);
  const text = `${day.day}: ${figures.join(", ")}`;
  const tell = () => fill(said, text);
  const shown = { "aria-label": text, class: "day-bar", onfocus: tell, onpointerenter: tell };
  // The whole height can be pointed at: a bar of one is thin.
  const area = svg("rect", { class: "bar-area", x: begin, y: TOP, width: step, height: HEIGHT - FOOT - TOP });
  const title = svg("title", {}, text);
  if (!href) return svg("g", { ...shown, tabindex: "0", role: "img" }, title, area, parts);
  return svg("a", { ...shown, href }, title, area, parts);
}

/** @param {ChartDay} day */
function hrefOf({ dag_id, run }) {
  if (run) return runHash(run.dag_id, run.run_id);
  return dag_id ? dagHash(dag_id) : null;
}

/** @param {{ name: string, label: string }} part */
function key({ name, label }) {
  return h("span", { class: "key" }, h("span", { class: `swatch bar-${name}`, "aria-hidden": "true" }), label);
}

/**
 * @param {readonly ChartDay[]} days
 * @param {string} zone
 */
function asTable(days, zone) {
  return table(
    "Invitations by day",
    [`Day (${zone})`, ...PARTS.map(({ label }) => label)],
    days.map((day) => {
      const href = hrefOf(day);
      const name = href ? h("a", { href }, day.day) : day.day;
      return [name, ...PARTS.map(({ name: part }) => exactNumber(day[part]))];
    }),
    { unseen: true },
  );
}
