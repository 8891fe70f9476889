/**
 * What waits for a person's decision, and what they can do about it.
 *
 * @module
 */

import { h, section } from "./elements.js";
import { besideQuestions } from "./elsewhere.js";
import { choice, exportButton, exportLabel, fileName, ledgerChoice, searchField } from "./filters.js";
import { exactNumber } from "./formats.js";
import { questionName } from "./glossary.js";
import { ledgerToShow } from "./list_ledger.js";
import { showPage } from "./list_pages.js";
import { FIRST_PAGE, hashOf, keepPlace, keepSearch, placeOf, searchOf, turnOf } from "./list_place.js";
import { dagOf, dagsOf, ledgerProblem, nothingToRead, readOverview } from "./readable_dags.js";
import { download, get, post } from "./requests.js";
import { outcomeText } from "./several_questions.js";
import { questionsTable, unsettledTable } from "./worklist_rows.js";

/** @typedef {import("../api_types").ReadableLedger} Ledger */
/** @typedef {import("../api_types").Review} Review */
/** @typedef {"open" | "waiting" | "snoozed" | "gone" | "closed"} Shown */

const INTRODUCTION =
  "What a person, a setting or the warehouse can still change. Each question stays here until it is answered, and " +
  "every run reads its row again. Until then no ordinary run invites anybody in this list.";

/** A run's page counts more unusable rows than there are questions about them. */
const NOT_ASKED =
  "Rows that share an address or an employee with another row are not asked about, since the other row counts; the " +
  "run's page lists them.";

/** Milliseconds between two looks for what has changed. */
const EVERY = 10_000;

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
    live: followList(filter, review, results),
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
    .map(([value, many]) => ({ value, text: `${questionName(value)} (${exactNumber(many)})` }));
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
  const { field, input } = searchField("Part of an address or a name, or a whole employee_id", filter.search);
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
    show: (page) => {
      shownPages.set(results, JSON.stringify(page));
      const beside = !page.rows.length && besideQuestions(body.ledger, body.kind ?? "");
      return [
        body.kind === "invalid:" && h("p", { class: "faint" }, NOT_ASKED),
        questionsTable(review, page, body, emptyText(body)),
        beside,
      ];
    },
    go: (turn) => show(filter, review, results, turn, { turned: true }),
    beside: (page) =>
      page.rows.length > 0 &&
      exportButton(
        () =>
          download(
            "worklist/export",
            { ...body, after: 0, before: null },
            fileName(["m3ter-worklist", ...filter.kind.split(":").filter(Boolean)].join("-"), dagsOf(body.ledger)),
          ),
        exportLabel(page, true),
      ),
  });
}

/** @param {import("../api_types").QuestionsBody} body */
function emptyText({ shown, kind, dag_id, older_than_days, search }) {
  if (kind || dag_id || older_than_days || search?.trim()) return "No question of this ledger matches.";
  return shown === "open" ? "No question is open in this ledger." : "No such question in this ledger.";
}

/** @type {WeakMap<HTMLElement, string>} the page of the worklist that each list shows */
const shownPages = new WeakMap();

/**
 * Show the list anew when a run or somebody else has changed it, and not while somebody ticks or writes.
 * @param {Filter} filter
 * @param {Review} review
 * @param {HTMLElement} results
 * @returns {import("./live.js").Live}
 */
function followList(filter, review, results) {
  const busy = () => {
    const search = document.getElementById("search");
    const writes = search instanceof HTMLInputElement && search.value !== filter.search;
    return writes || results.hasAttribute("aria-busy") || results.querySelector("input:checked") !== null;
  };
  return {
    every: EVERY,
    update: async () => {
      if (busy()) return "same";
      const request = results.dataset.request;
      const [page, waiting] = await Promise.all([
        post("worklist", requestBody(filter)),
        get(`review/${encodeURIComponent(filter.ledger)}`),
      ]);
      if (busy() || request !== results.dataset.request) return "same";
      const same = JSON.stringify(page) === shownPages.get(results);
      return same && JSON.stringify(waiting) === JSON.stringify(review) ? "same" : "anew";
    },
  };
}
