/**
 * The rows of the worklist: each question, why it is asked, and what a person can do about it.
 *
 * @module
 */

import { invitationHash, rowHash, runHash } from "./addresses.js";
import { namedCells } from "./copied_values.js";
import { decisionButtons } from "./decision_buttons.js";
import { h, prose, quoted, table } from "./elements.js";
import { capital, instant } from "./formats.js";
import { code, outcomeBadge, stateBadge } from "./glossary.js";
import { questionButtons } from "./question_buttons.js";
import { dagOf } from "./readable_dags.js";
import { inviteAgainButton } from "./run_buttons.js";
import { severalQuestions } from "./several_questions.js";

/** @typedef {import("../api_types").Review} Review */
/** @typedef {import("../api_types").OpenQuestion} OpenQuestion */

const NOTHING_UNSETTLED =
  "None now. An invitation appears here when m3ter's answer was lost, and nothing shows since whether it was sent.";
// What a person needs for a decision stands first.
const HEADS = ["Address", "Employee", "Why", "What to do", "Decide"];
const LAST_HEADS = ["Starts", "Since"];

/**
 * @param {Review} review
 * @param {string | null} dagId of the invitation; null: no DAG made it
 */
function mayDecide(review, dagId) {
  return dagId ? Boolean(dagOf(dagId)?.may_edit) : review.may_decide;
}

/**
 * @param {Review} review
 * @param {import("../api_types").QuestionPage} page
 * @param {import("../api_types").QuestionsBody} body
 * @param {string} empty the text in place of no rows
 */
export function questionsTable(review, page, body, empty) {
  const { ledger, search } = body;
  const mine = page.rows.filter((question) => dagOf(question.dag_id)?.may_edit);
  const { bar, box } = severalQuestions(body, page, mine);
  const anyNow = page.rows.some((question) => question.again_state || question.invitation_state || question.again_run);
  const list = table(
    "Open questions of the worklist",
    [...(mine.length ? ["Tick"] : []), ...HEADS, ...(anyNow ? ["Now"] : []), ...LAST_HEADS],
    page.rows.map((question) => [
      ...(mine.length ? [box(question)] : []),
      ...namedCells(rowHash(ledger, question.plan_id, question.row_no), question, search),
      reasonOf(question),
      h("span", { class: "long" }, prose(question.way)),
      buttonsOf(ledger, review, question),
      ...(anyNow ? [invitationOf(question)] : []),
      question.start_date && h("span", { class: "whole" }, question.start_date),
      instant(question.since),
    ]),
    { empty, unseen: true },
  );
  return [bar, list];
}

/** @param {OpenQuestion} question */
function reasonOf(question) {
  const { decision, reason, said, detail, email, wrong_value, closed_at, closed_by, note, noted_by } = question;
  const { gone_since, snoozed_until } = question;
  const wrong = wrong_value !== email && wrong_value;
  return h(
    "span",
    { class: "long" },
    detail ? quoted(detail) : `${capital(said)}.`,
    " ",
    code(`${decision}:${reason}`),
    wrong && h("p", { class: "note" }, "In the row: ", quoted(wrong)),
    gone_since && h("p", { class: "note" }, "Its row is not in the query since ", instant(gone_since)),
    snoozed_until && h("p", { class: "note" }, "Put off until ", instant(snoozed_until)),
    closed_at &&
      h("p", { class: "note" }, closed_by ? `Closed by ${closed_by} ` : "Given up by age ", instant(closed_at)),
    note && h("p", { class: "note" }, `${noted_by}: `, quoted(note)),
  );
}

/** @param {OpenQuestion} question */
function invitationOf({ invitation_state, invitation_email, email, again_state, again_run }) {
  if (again_state)
    return [stateBadge(again_state), h("p", { class: "note" }, "Invited again; the next ordinary run answers this.")];
  return [
    invitation_state && [stateBadge(invitation_state), invitation_email !== email && [" ", quoted(invitation_email)]],
    again_run && againText(again_run),
  ];
}

/**
 * Say what became of the run that somebody started for this person alone.
 * @param {import("../api_types").AgainRun} run
 */
function againText({ dag_id, run_id, outcome }) {
  const link = h("a", { href: runHash(dag_id, run_id) }, "A run to invite them again");
  return h("p", { class: "note" }, link, ": ", outcomeBadge(outcome));
}

/**
 * @param {string} ledger
 * @param {Review} review
 * @param {OpenQuestion} question
 */
function buttonsOf(ledger, review, question) {
  const { invitation_id, invitation_email, invitation_state, invitation_dag_id, to } = question;
  const decidable = invitation_id !== null && invitation_state && to.length && mayDecide(review, invitation_dag_id);
  return [
    question.invited_again &&
      question.again_run?.outcome !== "running" &&
      inviteAgainButton(dagOf(question.dag_id), question.employee_id, question.email),
    decidable && decisionButtons(ledger, { invitation_id, email: invitation_email ?? "", state: invitation_state }, to),
    dagOf(question.dag_id)?.may_edit && questionButtons(ledger, question),
  ];
}

/**
 * @param {string} ledger
 * @param {Review} review
 */
export function unsettledTable(ledger, review) {
  return [
    table(
      "Invitations with a lost answer that only a person can settle",
      ["Address", "Employee", "Why", "What to do", "Decide", "Since"],
      review.invitations.map((one) => [
        ...namedCells(invitationHash(ledger, one.invitation_id), one),
        h("span", { class: "long" }, one.said, " ", one.detail ? quoted(one.detail) : ""),
        h("span", { class: "long" }, prose(one.way)),
        mayDecide(review, one.dag_id) ? decisionButtons(ledger, one, one.to) : "needs the right to edit the DAG",
        instant(one.since),
      ]),
      { empty: NOTHING_UNSETTLED, unseen: true },
    ),
    review.more_invitations &&
      h("p", {}, h("a", { href: `#/invitations/review/${ledger}` }, "There are more: see the list.")),
  ];
}
