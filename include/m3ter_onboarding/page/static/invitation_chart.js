/**
 * Invitations over time: stacked bars, one for each calendar day in UTC, and the same as a table.
 *
 * @module
 */

import { h, svg, table } from "./elements.js";
import { exactNumber } from "./formats.js";

/** @typedef {import("../api_types").ChartDay} ChartDay */

/** @type {{ name: "accepted" | "waiting" | "other", label: string }[]} */
const PARTS = [
  { name: "accepted", label: "accepted" },
  { name: "waiting", label: "invited, not accepted yet" },
  { name: "other", label: "expired or refused" },
];
const WIDTH = 720;
const HEIGHT = 180;
const FOOT = 22;
const LABEL = "Invitations of the last 30 days, by day (UTC) of the run; the same figures are in the table below";

/** @param {readonly ChartDay[]} days */
export function invitationChart(days) {
  const none = days.every((day) => PARTS.every(({ name }) => !day[name]));
  if (none) return h("p", { class: "empty" }, "No invitations in the last 30 days.");
  const most = Math.max(1, ...days.map((day) => PARTS.reduce((sum, { name }) => sum + day[name], 0)));
  return h(
    "figure",
    { class: "chart" },
    svg(
      "svg",
      { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": LABEL },
      svg("line", { x1: 0, x2: WIDTH, y1: HEIGHT - FOOT, y2: HEIGHT - FOOT }),
      svg("text", { x: 0, y: 10 }, `most in a day: ${exactNumber(most)}`),
      bars(days, most),
    ),
    h("figcaption", {}, PARTS.map(key), h("span", { class: "key" }, "days are in UTC")),
    h("details", {}, h("summary", {}, "As a table"), asTable(days)),
  );
}

/**
 * @param {readonly ChartDay[]} days
 * @param {number} most the largest sum of a day
 */
function bars(days, most) {
  const step = WIDTH / Math.max(days.length, 7);
  const width = Math.min(step * 0.7, 48);
  const scale = (HEIGHT - FOOT - 16) / most;
  const labelled = Math.ceil(days.length / 10);
  return days.map((day, position) => {
    const x = position * step + (step - width) / 2;
    let y = HEIGHT - FOOT;
    const parts = PARTS.filter(({ name }) => day[name]).map(({ name, label }) => {
      const height = day[name] * scale;
      y -= height;
      const title = svg("title", {}, `${day.day}: ${exactNumber(day[name])} ${label}`);
      return svg("rect", { class: `bar-${name}`, x, y, width, height }, title);
    });
    const middle = { x: x + width / 2, y: HEIGHT - 6, "text-anchor": "middle" };
    return [parts, position % labelled === 0 && svg("text", middle, day.day.slice(5))];
  });
}

/** @param {{ name: string, label: string }} part */
function key({ name, label }) {
  return h("span", { class: "key" }, h("span", { class: `swatch bar-${name}`, "aria-hidden": "true" }), label);
}

/** @param {readonly ChartDay[]} days */
function asTable(days) {
  return table(
    "Invitations by day",
    ["Day (UTC)", ...PARTS.map(({ label }) => label)],
    days.map((day) => [day.day, ...PARTS.map(({ name }) => exactNumber(day[name]))]),
    { unseen: true },
  );
}
