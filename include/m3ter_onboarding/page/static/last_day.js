/**
 * The last 24 hours in one sentence.
 *
 * @module
 */

import { h } from "./elements.js";
import { boundedSum, counted, exactNumber } from "./formats.js";

/** @typedef {import("../api_types").ReadableLedger} Ledger */

/**
 * @param {readonly Ledger[]} ledgers that can be read
 */
export function lastDay(ledgers) {
  const days = ledgers.map((ledger) => ledger.last_day);
  const sum = (/** @type {"not_sent" | "runs" | "failed"} */ name) => days.reduce((all, day) => all + day[name], 0);
  const [runs, failed] = [sum("runs"), sum("failed")];
  const many = days.some((day) => day.more_runs) ? `${exactNumber(runs)}+ runs` : counted(runs, "run");
  const invited = boundedSum(days.map((day) => day.invited));
  const ended = failed ? ` (${exactNumber(failed)} failed)` : "";
  return h(
    "p",
    { class: "last-day" },
    `In the last 24 hours: ${invited} invited, ${exactNumber(sum("not_sent"))} not sent, ${many}${ended}. `,
    forReview(ledgers),
  );
}

/** @param {readonly Ledger[]} ledgers */
function forReview(ledgers) {
  const each = ledgers.map(({ key, name, questions }) => {
    const of = Object.entries(questions).filter(([reason]) => reason.startsWith("review:"));
    return { key, name, many: of.reduce((all, [, many]) => all + many, 0) };
  });
  const asked = each.filter(({ many }) => many);
  if (!asked.length) return "Nothing is for review now.";
  const links = asked.map(({ key, name, many }, place) => {
    const href = `#/review/review?ledger=${encodeURIComponent(key)}`;
    const text = `${exactNumber(many)} for review${asked.length > 1 ? ` (${name})` : ""}`;
    return [place ? ", " : "", h("a", { href }, text)];
  });
  return ["Now: ", links, "."];
}
