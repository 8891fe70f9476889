/**
 * What waits for a person's decision, and what they can do about it.
 *
 * @module
 */

import { invitationHash, rowHash } from "./addresses.js";
import { decisionButtons } from "./decision_buttons.js";
import { button, fill, h, prose, quoted, reload, section, table } from "./elements.js";
import { choice } from "./filters.js";
import { exactNumber, instant } from "./formats.js";
import { stateBadge } from "./glossary.js";
import { questionButtons } from "./question_buttons.js";
import { dagOf, ledgerProblem, nothingToRead, readOverview } from "./readable_dags.js";
import { get } from "./requests.js";

/** @typedef {import("../api_types").Review} Review */
/** @typedef {import("../api_types").OpenQuestion} OpenQuestion */
/** @typedef {"open" | "waiting" | "snoozed" | "gone" | "closed"} Shown */

const INTRODUCTION =
  "What a person, a setting or the warehouse can still change. Each question stays here, and every run reads its row " +
  "again, until it is answered; nobody listed here is invited before.";

/** @type {Record<Shown, string>} */
const VIEWS = {
  open: "Open",
  waiting: "Waiting for their day",
  snoozed: "Put off",
  gone: "Row no longer in the query",
  closed: "Closed by a person or by age",
};

/** The decision of the address that is shown: a reload leaves the choices of the person.
 * @type {string | undefined} */
let followed;

/** The filter of the worklist: kept while the page is open, in no address. */
const filter = {
  /** @type {Shown} */
  shown: "open",
  kind: "",
};

/**
 * @param {string} [only] a decision
 * @returns {Promise<import("./page.js").Screen>}
 */
export async function reviewScreen(only) {
  if (only && only !== followed) Object.assign(filter, { shown: "open", kind: `${only}:` });
  followed = only;
  const overview = await readOverview({ again: true });
  /** @type {import("./elements.js").Child[]} */
  const content = [h("h1", {}, "Review"), h("p", {}, INTRODUCTION), filterForm(overview.ledgers)];
  if (overview.ledgers.every((ledger) => ledger.problem !== null)) content.push(nothingToRead(overview.ledgers));
  for (const ledger of overview.ledgers) {
    const where = overview.ledgers.length > 1 ? ` (${ledger.name})` : "";
    content.push(ledgerProblem(ledger) ?? (await reviewOf(ledger, where)));
  }
  return { title: "Review", content };
}

/** @param {readonly import("../api_types").Overview["ledgers"][number][]} ledgers */
function filterForm(ledgers) {
  /** @type {Record<string, number>} */
  const counts = {};
  for (const ledger of ledgers) {
    if (ledger.problem !== null) continue;
    for (const [name, many] of Object.entries(ledger.questions)) counts[name] = (counts[name] ?? 0) + many;
  }
  for (const [name, many] of Object.entries(counts)) {
    const decision = `${name.split(":")[0]}:`;
    counts[decision] = (counts[decision] ?? 0) + many;
  }
  if (filter.kind && !(filter.kind in counts)) filter.kind = "";
  const kinds = Object.entries(counts)
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([value, many]) => ({ value, text: `${value.replace(/:$/, ": any")} (${exactNumber(many)})` }));
  const views = /** @type {Shown[]} */ (Object.keys(VIEWS)).map((value) => ({ value, text: VIEWS[value] }));
  return h(
    "form",
    { class: "filters", "aria-label": "Worklist" },
    choice("shown", "Questions", views, filter.shown, (value) => {
      filter.shown = /** @type {Shown} */ (value);
      reload();
    }),
    choice("kind", "Reason", [{ value: "", text: "Any" }, ...kinds], filter.kind, (value) => {
      filter.kind = value;
      reload();
    }),
  );
}

/**
 * @param {{ key: string }} ledger
 * @param {string} where
 */
async function reviewOf({ key }, where) {
  const review = await get(`review/${encodeURIComponent(key)}`, filter);
  const questions = h("div", {}, questionsTable(key, review));
  return [
    section(`unsettled-${key}`, `Was it sent?${where}`, unsettledTable(key, review)),
    section(`questions-${key}`, `Worklist${where}`, questions),
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
 * @returns {import("./elements.js").Child[]}
 */
function questionsTable(ledger, review) {
  const more = h("div", {});
  const { after } = review;
  const next = async () => {
    const query = { ...filter, after: String(after) };
    fill(more, ...questionsTable(ledger, await get(`review/${encodeURIComponent(ledger)}`, query)));
  };
  if (after !== null) fill(more, button("More", next));
  return [
    table(
      "Open questions of the worklist",
      ["Address", "Employee", "Since", "Why", "Now", "What to do", "Decide"],
      review.questions.map((question) => [
        h("a", { href: rowHash(ledger, question.plan_id, question.row_no) }, quoted(question.email)),
        quoted(question.employee_id),
        instant(question.since),
        reasonOf(question),
        invitationOf(question),
        h("span", { class: "long" }, prose(question.way)),
        buttonsOf(ledger, review, question),
      ]),
      { empty: "None.", unseen: true },
    ),
    more,
  ];
}

/** @param {OpenQuestion} question */
function reasonOf({ decision, reason, said, detail, gone_since, snoozed_until, closed_at, closed_by, note, noted_by }) {
  return h(
    "span",
    { class: "long" },
    h("code", {}, `${decision}:${reason}`),
    ` ${said}. `,
    detail ? quoted(detail) : "",
    gone_since && h("p", { class: "note" }, "Its row is not in the query since ", instant(gone_since)),
    snoozed_until && h("p", { class: "note" }, "Put off until ", instant(snoozed_until)),
    closed_at &&
      h("p", { class: "note" }, closed_by ? `Closed by ${closed_by} ` : "Given up by age ", instant(closed_at)),
    note && h("p", { class: "note" }, `${noted_by}: `, quoted(note)),
  );
}

/** @param {OpenQuestion} question */
function invitationOf({ invitation_state, invitation_email, email }) {
  if (!invitation_state) return "";
  return [stateBadge(invitation_state), invitation_email !== email && [" ", quoted(invitation_email)]];
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
    decidable && decisionButtons(ledger, { invitation_id, email: invitation_email ?? "", state: invitation_state }, to),
    dagOf(question.dag_id)?.may_edit && questionButtons(ledger, question),
  ];
}
