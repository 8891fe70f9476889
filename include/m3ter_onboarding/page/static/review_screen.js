/**
 * What waits for a person's decision, and what they can do about it.
 *
 * @module
 */

import { invitationHash, rowHash } from "./addresses.js";
import { addressText, copyable } from "./copied_values.js";
import { decisionButtons } from "./decision_buttons.js";
import { h, prose, quoted, section, table } from "./elements.js";
import { choice, ledgerChoice, searchField } from "./filters.js";
import { exactNumber, instant } from "./formats.js";
import { stateBadge } from "./glossary.js";
import { ledgerToShow } from "./list_ledger.js";
import { showPage } from "./list_pages.js";
import { FIRST_PAGE, hashOf, keepPlace, keepSearch, placeOf, searchOf, turnOf } from "./list_place.js";
import { questionButtons } from "./question_buttons.js";
import { dagOf, dagsOf, ledgerProblem, nothingToRead, readOverview } from "./readable_dags.js";
import { get, post } from "./requests.js";
import { inviteAgainButton } from "./run_buttons.js";
import { outcomeText, severalQuestions } from "./several_questions.js";

/** @typedef {import("../api_types").ReadableLedger} Ledger */
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

const ANY = { value: "", text: "Any" };
/** @type {Record<string, string>} by days */
const AGES = { "": "Any time", 7: "A week or longer", 30: "30 days or longer", 90: "90 days or longer" };

/**
 * What the worklist shows.
 * @typedef {object} Filter
 * @property {string} ledger
 * @property {boolean} ledgerNamed whether there are several, so that the address names one
 * @property {Shown} shown
 * @property {string} kind `decision:reason`, `decision:` or nothing
 * @property {string} dag its id; empty: any
 * @property {string} age in days; empty: any
 * @property {string} search
 * @property {import("./list_place.js").Turn} turn
 */

/**
 * @param {string} [decision]
 * @param {string} [reason]
 * @returns {Promise<import("./page.js").Screen>}
 */
export async function reviewScreen(decision, reason) {
  const overview = await readOverview({ again: true });
  const title = "Review";
  const ledgers = overview.ledgers.filter((ledger) => ledger.problem === null);
  const content = [h("h1", {}, title), h("p", {}, INTRODUCTION), overview.ledgers.map(ledgerProblem)];
  const [first, ...others] = ledgers;
  if (!first) return { title, content: [content, nothingToRead(overview.ledgers)] };
  const place = placeOf();
  const wanted = place.get("ledger") ?? dagOf(place.get("dag") ?? "")?.ledger;
  const ledger = ledgerToShow([first, ...others], wanted, hasQuestions);
  const filter = filterOf(place, ledger.key, ledgers.length > 1, decision ? `${decision}:${reason ?? ""}` : "");
  keepPlace(hash(filter), { again: true });
  const review = await get(`review/${encodeURIComponent(ledger.key)}`);
  const results = h("div", {});
  await load(filter, review, results);
  return {
    title,
    content: [
      content,
      ledgerForm(ledgers, filter),
      section("unsettled", "Was it sent?", unsettledTable(ledger.key, review)),
      section("questions", "Worklist", outcomeText(), filterForm(ledger, filter, review, results), results),
    ],
  };
}

/** @param {Ledger} ledger */
function hasQuestions({ questions, states }) {
  return Object.keys(questions).length > 0 || Boolean(states.review);
}

/**
 * @param {URLSearchParams} place
 * @param {string} ledger
 * @param {boolean} ledgerNamed
 * @param {string} kind
 * @returns {Filter}
 */
function filterOf(place, ledger, ledgerNamed, kind) {
  const [shown, dag, age] = [place.get("show") ?? "open", place.get("dag") ?? "", place.get("age") ?? ""];
  return {
    ledger,
    ledgerNamed,
    kind,
    shown: shown in VIEWS ? /** @type {Shown} */ (shown) : "open",
    dag: dagOf(dag)?.ledger === ledger ? dag : "",
    age: age in AGES ? age : "",
    search: searchOf(place),
    turn: turnOf(place),
  };
}

/** @param {Filter} filter */
function hash({ ledger, ledgerNamed, shown, kind, dag, age, search, turn }) {
  const screen = ["#/review", ...kind.split(":").filter(Boolean)].join("/");
  const values = { ledger: ledgerNamed ? ledger : null, show: shown === "open" ? null : shown, dag, age };
  return hashOf(screen, { ...values, search: keepSearch(search), ...turn });
}

/**
 * @param {readonly Ledger[]} ledgers
 * @param {Filter} filter
 */
function ledgerForm(ledgers, filter) {
  const change = (/** @type {string} */ ledger) => {
    location.hash = hash({ ...filter, ledger, dag: "", turn: FIRST_PAGE });
  };
  const chosen = ledgerChoice(ledgers, filter.ledger, change);
  return chosen && h("form", { class: "filters", "aria-label": "Which ledger" }, chosen);
}

/**
 * Return the reasons that there are to choose from, and how many open questions each has.
 * @param {Ledger} ledger
 * @param {string} kind that is chosen
 */
function kindsOf({ questions }, kind) {
  /** @type {Record<string, number>} */
  const counts = kind ? { [kind]: 0 } : {};
  for (const [name, many] of Object.entries(questions)) {
    const decision = `${name.split(":")[0]}:`;
    counts[name] = many;
    counts[decision] = (counts[decision] ?? 0) + many;
  }
  return Object.entries(counts)
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([value, many]) => ({ value, text: `${value.replace(/:$/, ": any")} (${exactNumber(many)})` }));
}

/**
 * @param {Ledger} ledger
 * @param {Filter} filter
 * @param {Review} review
 * @param {HTMLElement} results
 */
function filterForm(ledger, filter, review, results) {
  const views = /** @type {Shown[]} */ (Object.keys(VIEWS)).map((value) => ({ value, text: VIEWS[value] }));
  const dags = dagsOf(ledger.key).map((dag) => ({ value: dag.dag_id, text: dag.name }));
  const ages = Object.entries(AGES).map(([value, text]) => ({ value, text }));
  ages.sort((one, other) => Number(one.value) - Number(other.value));
  /** @param {Partial<Filter>} changed */
  const apply = (changed) => {
    Object.assign(filter, changed);
    return show(filter, review, results, FIRST_PAGE);
  };
  const { field, input } = searchField("Part of an address, or a whole employee_id", filter.search);
  /** @param {Event} event */
  const onsubmit = (event) => {
    event.preventDefault();
    return apply({ search: input.value });
  };
  return h(
    "form",
    { class: "filters", role: "search", "aria-label": "Worklist", onsubmit },
    field,
    choice("shown", "Questions", views, filter.shown, (value) => apply({ shown: /** @type {Shown} */ (value) })),
    choice("kind", "Reason", [ANY, ...kindsOf(ledger, filter.kind)], filter.kind, (kind) => apply({ kind })),
    (dags.length > 1 || filter.dag) && choice("dag", "DAG", [ANY, ...dags], filter.dag, (dag) => apply({ dag })),
    choice("age", "Open for", ages, filter.age, (age) => apply({ age })),
  );
}

/**
 * @param {Filter} filter
 * @returns {import("../api_types").QuestionsBody}
 */
function requestBody({ ledger, shown, kind, dag, age, search, turn }) {
  const list = { ledger, shown, kind, dag_id: dag || null, older_than_days: Number(age), search };
  return { ...list, after: Number(turn.after) || 0, before: Number(turn.before) || null };
}

/**
 * Show another page or another list, and let the address say so.
 * @param {Filter} filter
 * @param {Review} review
 * @param {HTMLElement} results
 * @param {import("./list_place.js").Turn} turn
 * @param {{ turned?: boolean }} [options]
 */
function show(filter, review, results, turn, options) {
  filter.turn = turn;
  keepPlace(hash(filter));
  return load(filter, review, results, options);
}

/**
 * Read a page of the worklist, and show it.
 * @param {Filter} filter
 * @param {Review} review
 * @param {HTMLElement} results
 * @param {{ turned?: boolean }} [options] whether a person turned the page
 */
async function load(filter, review, results, { turned = false } = {}) {
  const body = requestBody(filter);
  await showPage(results, {
    turn: filter.turn,
    turned,
    read: () => post("worklist", body),
    show: (page) => questionsTable(filter, review, page, body),
    go: (turn) => show(filter, review, results, turn, { turned: true }),
  });
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
        copyable(
          h("a", { href: invitationHash(ledger, one.invitation_id) }, addressText(one.email)),
          one.email,
          "address",
        ),
        copyable(quoted(one.employee_id), one.employee_id, "employee_id"),
        instant(one.since),
        h("span", { class: "long" }, one.said, " ", one.detail ? quoted(one.detail) : ""),
        h("span", { class: "long" }, prose(one.way)),
        mayDecide(review, one.dag_id) ? decisionButtons(ledger, one, one.to) : "needs the right to edit the DAG",
      ]),
      { empty: "None.", unseen: true },
    ),
    review.more_invitations &&
      h("p", {}, h("a", { href: `#/invitations/review/${ledger}` }, "There are more: see the list.")),
  ];
}

/**
 * @param {Filter} filter
 * @param {Review} review
 * @param {import("../api_types").QuestionPage} page
 * @param {import("../api_types").QuestionsBody} body
 */
function questionsTable({ ledger, search }, review, page, body) {
  const mine = page.rows.filter((question) => dagOf(question.dag_id)?.may_edit);
  const { bar, box } = severalQuestions(body, page, mine);
  const list = table(
    "Open questions of the worklist",
    [...(mine.length ? ["Tick"] : []), "Address", "Employee", "Since", "Why", "Now", "What to do", "Decide"],
    page.rows.map((question) => [
      ...(mine.length ? [box(question)] : []),
      copyable(
        h("a", { href: rowHash(ledger, question.plan_id, question.row_no) }, addressText(question.email, search)),
        question.email,
        "address",
      ),
      copyable(quoted(question.employee_id), question.employee_id, "employee_id"),
      instant(question.since),
      reasonOf(question),
      invitationOf(question),
      h("span", { class: "long" }, prose(question.way)),
      buttonsOf(ledger, review, question),
    ]),
    { empty: "None.", unseen: true },
  );
  return [bar, list];
}

/** @param {OpenQuestion} question */
function reasonOf({ decision, reason, said, detail, gone_since, snoozed_until, closed_at, closed_by, note, noted_by }) {
  return h(
    "span",
    { class: "long" },
    h("code", {}, `${decision}:${reason}`),
    " ",
    detail ? quoted(detail) : `${said}.`,
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
    question.invited_again && inviteAgainButton(dagOf(question.dag_id), question.employee_id, question.email),
    decidable && decisionButtons(ledger, { invitation_id, email: invitation_email ?? "", state: invitation_state }, to),
    dagOf(question.dag_id)?.may_edit && questionButtons(ledger, question),
  ];
}
