// Invitations over time: stacked bars, one for each day, and the same as a table.

import { h, svg, table } from "./dom.js";
import { exactly } from "./words.js";

const PARTS = [
  ["accepted", "accepted"],
  ["waiting", "invited, not accepted yet"],
  ["other", "expired or refused"],
];
const WIDTH = 720;
const HEIGHT = 180;
const FOOT = 22;

export function chart(days) {
  if (!days.length) return h("p", { class: "empty" }, "No invitations in the last 30 days.");
  const most = Math.max(1, ...days.map((day) => PARTS.reduce((sum, [name]) => sum + day[name], 0)));
  const step = WIDTH / Math.max(days.length, 7);
  const wide = Math.min(step * 0.7, 48);
  const scale = (HEIGHT - FOOT - 16) / most;
  const bars = days.map((day, place) => {
    let top = HEIGHT - FOOT;
    const left = place * step + (step - wide) / 2;
    const parts = PARTS.filter(([name]) => day[name]).map(([name, label]) => {
      const high = day[name] * scale;
      top -= high;
      return svg("rect", { class: `bar-${name}`, x: left, y: top, width: wide, height: high }, svg("title", {}, `${day.day}: ${exactly(day[name])} ${label}`));
    });
    const every = Math.ceil(days.length / 10);
    const label = place % every === 0 && svg("text", { x: left + wide / 2, y: HEIGHT - 6, "text-anchor": "middle" }, day.day.slice(5));
    return [parts, label];
  });
  return h(
    "figure",
    { class: "chart" },
    svg(
      "svg",
      { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": "Invitations of the last 30 days, by day; the same figures are in the table below" },
      svg("line", { x1: 0, x2: WIDTH, y1: HEIGHT - FOOT, y2: HEIGHT - FOOT }),
      svg("text", { x: 0, y: 10 }, `most a day: ${exactly(most)}`),
      bars,
    ),
    h("figcaption", {}, PARTS.map(([name, label]) => h("span", { class: "key" }, h("span", { class: `swatch bar-${name}`, "aria-hidden": "true" }), label))),
    h(
      "details",
      {},
      h("summary", {}, "As a table"),
      table("Invitations by day", ["Day", ...PARTS.map(([, label]) => label)], days.map((day) => [day.day, ...PARTS.map(([name]) => exactly(day[name]))]), { unseen: true }),
    ),
  );
}
