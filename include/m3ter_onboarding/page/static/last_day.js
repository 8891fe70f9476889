/**
 * The last 24 hours in one sentence.
 *
 * @module
 */

import { runHash } from "./addresses.js";
import { h } from "./elements.js";
import { boundedSum, counted, exactNumber } from "./formats.js";
import { dagName } from "./readable_dags.js";

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
    waiting(ledgers),
  );
}

/**
 * Say what waits for a person, each with its link.
 * @param {readonly Ledger[]} ledgers
 */
function waiting(ledgers) {
  const parts = [...asked(ledgers, "review", "for review"), ...asked(ledgers, "invalid", "unusable"), ...runs(ledgers)];
  if (!parts.length) return "Nothing waits for a person now.";
  return ["Now: ", parts.map((part, place) => [place ? ", " : "", part]), "."];
}

/**
 * @param {readonly Ledger[]} ledgers
 * @param {"review" | "invalid"} decision
 * @param {string} words
 */
function asked(ledgers, decision, words) {
  const each = ledgers.map(({ key, name, questions }) => {
    const of = Object.entries(questions).filter(([reason]) => reason.startsWith(`${decision}:`));
    return { key, name, many: of.reduce((all, [, many]) => all + many, 0) };
  });
  const some = each.filter(({ many }) => many);
  return some.map(({ key, name, many }) => {
    const href = `#/review/${decision}?ledger=${encodeURIComponent(key)}`;
    return h("a", { href }, `${exactNumber(many)} ${words}${some.length > 1 ? ` (${name})` : ""}`);
  });
}

/** @param {readonly Ledger[]} ledgers */
function runs(ledgers) {
  return ledgers
    .flatMap(({ dags }) => dags)
    .flatMap(({ dag_id, last }) => {
      if (last?.waits !== "approval") return [];
      const invitations = counted(last.invitations ?? 0, "invitation");
      const wait = last.invitations === 1 ? "waits" : "wait";
      return [
        h("a", { href: runHash(dag_id, last.run_id) }, `${invitations} of ${dagName(dag_id)} ${wait} for approval`),
      ];
    });
}
