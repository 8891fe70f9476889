/**
 * What waits for a person's decision, and what they can do about it.
 *
 * @module
 */

import { invitationHash, rowHash } from "./addresses.js";
import { decisionButtons } from "./decision_buttons.js";
import { h, prose, quoted, section, table } from "./elements.js";
import { instant } from "./formats.js";
import { stateBadge } from "./glossary.js";
import { dagOf, ledgerProblem, readOverview } from "./readable_dags.js";
import { get } from "./requests.js";

/** @typedef {import("../api_types").Review} Review */
/** @typedef {import("../api_types").RowForReview} RowForReview */

const INTRODUCTION =
  "These cases are not decided automatically. Nobody listed here is invited again before a person has decided.";

/** @returns {Promise<import("./page.js").Screen>} */
export async function reviewScreen() {
  const overview = await readOverview({ again: true });
  /** @type {import("./elements.js").Child[]} */
  const content = [h("h1", {}, "Review"), h("p", {}, INTRODUCTION)];
  for (const ledger of overview.ledgers) {
    const where = overview.ledgers.length > 1 ? ` (${ledger.name})` : "";
    content.push(ledgerProblem(ledger) ?? (await reviewOf(ledger, where)));
  }
  return { title: "Review", content };
}

/**
 * @param {{ key: string }} ledger
 * @param {string} where
 */
async function reviewOf({ key }, where) {
  const review = await get(`review/${encodeURIComponent(key)}`);
  return [
    section(`unsettled-${key}`, `Was it sent?${where}`, unsettledTable(key, review)),
    section(`rows-${key}`, `Rows of the last plans${where}`, rowsTable(key, review)),
  ];
}

/**
 * @param {Review} review
 * @param {string | null} dagId of the invitation; null: no DAG made it
 */
function mayDecide(review, dagId) {
  return dagId ? Boolean(dagOf(dagId)?.may_edit) : review.may_decide;
}

/**
 * @param {string} ledger
 * @param {Review} review
 */
function unsettledTable(ledger, review) {
  return [
    table(
      "Invitations with a lost answer that only a person can settle",
      ["Address", "Employee", "Since", "Why", "What to do", "Decide"],
      review.invitations.map((one) => [
        h("a", { href: invitationHash(ledger, one.invitation_id) }, quoted(one.email)),
        quoted(one.employee_id),
        instant(one.since),
        h("span", { class: "long" }, one.said, " ", one.detail ? quoted(one.detail) : ""),
        h("span", { class: "long" }, prose(one.way)),
        mayDecide(review, one.dag_id) ? decisionButtons(ledger, one, one.to) : "needs the right to edit the DAG",
      ]),
      { empty: "None.", unseen: true },
    ),
    review.more_invitations && h("p", {}, h("a", { href: "#/invitations/review" }, "There are more: see the list.")),
  ];
}

/**
 * @param {string} ledger
 * @param {Review} review
 */
function rowsTable(ledger, review) {
  return [
    table(
      "Rows of the last plans that a person has to decide",
      ["Address", "Employee", "Why", "Now", "What to do", "Decide"],
      review.rows.map((row) => [
        h("a", { href: rowHash(ledger, row.plan_id, row.row_no) }, quoted(row.email)),
        quoted(row.employee_id),
        reasonOf(row),
        invitationOf(row),
        h("span", { class: "long" }, prose(row.way)),
        rowButtons(ledger, review, row),
      ]),
      { empty: "None.", unseen: true },
    ),
    review.more_rows && h("p", {}, "There are more; the run's page lists all."),
  ];
}

/** @param {RowForReview} row */
function reasonOf(row) {
  const detail = row.detail ? quoted(row.detail) : "";
  return h("span", { class: "long" }, h("code", {}, `review:${row.reason}`), ` ${row.said}. `, detail);
}

/** @param {RowForReview} row */
function invitationOf(row) {
  if (!row.invitation_state) return "";
  return [stateBadge(row.invitation_state), row.invitation_email !== row.email && [" ", quoted(row.invitation_email)]];
}

/**
 * @param {string} ledger
 * @param {Review} review
 * @param {RowForReview} row
 */
function rowButtons(ledger, review, row) {
  const { invitation_id, invitation_email, invitation_state } = row;
  if (invitation_id === null || !invitation_state || !row.to.length) return "";
  if (!mayDecide(review, row.invitation_dag_id)) return "";
  return decisionButtons(ledger, { invitation_id, email: invitation_email ?? "", state: invitation_state }, row.to);
}
