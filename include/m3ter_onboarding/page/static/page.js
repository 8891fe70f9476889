/**
 * The page's entry: shows the screen that the hash of the address names. The hash holds no name and no e-mail address.
 *
 * The browser loads these files as they are; `make check` checks their types, which are written as comments. Read them
 * in this order:
 *
 *   page.js             which screen is shown
 *   elements.js         HTML elements, always made from text; dialog.js asks before something is done, toasts.js
 *                       confirms it afterwards; kept_focus.js: where the focus is while they are made anew;
 *                       fitted_columns.js: whether a table has columns or cards
 *   glossary.js         names of states and decisions; formats.js writes instants and numbers
 *   addresses.js        addresses of the screens, and of Airflow's own pages
 *   airflow_window.js   Airflow's window, where this page is a frame of it; theme.js runs before all others
 *   requests.js         requests to the page's API and to Airflow's
 *   readable_dags.js    the DAGs and ledgers that this user may read: every screen needs them
 *   overview_screen.js, invitations_screen.js, person_screen.js, dag_screen.js, run_screen.js, review_screen.js,
 *   access_screen.js, day_one_screen.js, runs_screen.js
 *                       one screen a file; they share filters.js, first_days.js, list_place.js (filters and page in
 *                       the address), list_ledger.js (which ledger a list begins with), list_narrowing.js,
 *                       search_reach.js, elsewhere.js (where people may be who are not in a list), list_pages.js,
 *                       copied_values.js, runs_table.js, run_buttons.js, decision_buttons.js, worklist_rows.js,
 *                       question_buttons.js and several_questions.js
 *   run_steps.js        the steps of a run, and the question that waits in it; plan_diff.js and plan_rows.js its plan
 *   sending_stops.js    what stops sending; dag_cards.js, last_day.js, coming_days.js and trends.js with its
 *                       invitation_chart.js, on the overview
 *   live.js             asks again while something runs
 *
 * @module
 */

import { accessScreen } from "./access_screen.js";
import { initialHash, showInAirflowAddress } from "./airflow_window.js";
import { dagScreen } from "./dag_screen.js";
import { dayOneScreen } from "./day_one_screen.js";
import { announce, byId, fill, h, onReload, problem } from "./elements.js";
import { invitationsScreen } from "./invitations_screen.js";
import { beginAtTop } from "./kept_focus.js";
import { follow } from "./live.js";
import { overviewScreen } from "./overview_screen.js";
import { personOfDecision, personOfInvitation } from "./person_screen.js";
import { readOverview } from "./readable_dags.js";
import { RequestError } from "./requests.js";
import { reviewScreen } from "./review_screen.js";
import { runScreen } from "./run_screen.js";
import { runsScreen } from "./runs_screen.js";

/** @typedef {import("./live.js").Live} Live */
/** @typedef {{ title: string, content: import("./elements.js").Child, live?: Live | null }} Screen */

/** @type {[RegExp, (...parts: string[]) => Promise<Screen>][]} */
const SCREENS = [
  [/^#\/?$/, overviewScreen],
  [/^#\/invitations(?:\/([a-z]+))?(?:\/([^/]+))?$/, invitationsScreen],
  [/^#\/review(?:\/([a-z]+))?(?:\/([a-z0-9_]+))?$/, reviewScreen],
  [/^#\/access$/, accessScreen],
  [/^#\/day-one(?:\/([a-z_]+))?(?:\/([^/]+))?$/, dayOneScreen],
  [/^#\/dag\/([^/]+)$/, dagScreen],
  [/^#\/runs$/, runsScreen],
  [/^#\/run\/([^/]+)\/([^/]+)$/, runScreen],
  [/^#\/person\/([^/]+)\/([^/]+)$/, personOfInvitation],
  [/^#\/row\/([^/]+)\/([^/]+)\/([^/]+)$/, personOfDecision],
];
const TITLE = "m3ter onboarding";
/** What the overview said when something could not be shown.
 * @type {string | null} */
let failedOn = null;
/** It is tried once more, and then when the overview changes: Airflow learns of a DAG and its ledger within seconds.
 * @type {Live} */
const AGAIN = {
  every: 5000,
  update: async () => {
    const found = JSON.stringify(await readOverview({ again: true }));
    if (found === failedOn) return "same";
    failedOn = found;
    return "anew";
  },
};

const main = byId("main");
let newest = 0;

/**
 * Mark the link of the navigation that leads to what is shown.
 * @param {string} hash
 */
function markCurrent(hash) {
  for (const link of document.querySelectorAll("header nav a")) {
    const target = link.getAttribute("href") ?? "";
    const current = target === "#/" ? /^(#\/?)?(\?|$)/.test(hash) : hash.startsWith(target);
    if (current) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

/**
 * @param {string} hash
 * @returns {Promise<Screen>}
 */
async function screenOf(hash) {
  const [path = ""] = hash.split("?"); // behind it: the place in a list
  for (const [pattern, screen] of SCREENS) {
    const match = pattern.exec(path);
    if (match) {
      await readOverview();
      return screen(...match.slice(1).map((part) => (part === undefined ? part : decodeURIComponent(part))));
    }
  }
  throw new RequestError(404, "There is no such screen.");
}

/**
 * @param {unknown} error
 * @returns {Screen}
 */
function errorScreen(error) {
  const known = error instanceof RequestError;
  if (!known) console.error(error);
  const text = known ? error.message : "Something went wrong in this page. Reload it.";
  return { title: TITLE, content: [h("h1", {}, "This cannot be shown"), problem(text)], live: known ? AGAIN : null };
}

/**
 * Remember which parts are open, and how far the page is scrolled. It stays as long as it was while parts are read.
 * @returns {() => void} brings it back in what is shown then
 */
function placeOf() {
  main.style.minHeight = `${main.offsetHeight}px`;
  const open = [...main.querySelectorAll("details[id]")].map((box) => [box.id, box.hasAttribute("open")]);
  const top = window.scrollY;
  return () => {
    for (const [id, wasOpen] of open) document.getElementById(String(id))?.toggleAttribute("open", Boolean(wasOpen));
    window.scrollTo(0, top);
  };
}

/**
 * @param {{ first?: boolean, quiet?: boolean }} [how] quiet: the same screen again; focus and place stay
 */
async function show({ first = false, quiet = false } = {}) {
  const mine = ++newest;
  const hash = location.hash || "#/";
  markCurrent(hash);
  showInAirflowAddress(hash);
  if (!quiet) main.setAttribute("aria-busy", "true");
  const { title, content, live } = await screenOf(hash).catch(errorScreen);
  if (mine !== newest) return;
  const restore = quiet ? placeOf() : () => {};
  fill(main, content);
  restore();
  main.removeAttribute("aria-busy");
  document.title = title === TITLE ? title : `${title} · ${TITLE}`;
  follow(live, () => show({ quiet: true }));
  if (quiet) return;
  main.style.minHeight = "";
  if (!first) {
    beginAtTop();
    window.scrollTo(0, 0);
  }
  announce(title);
}

document.querySelector("a.skip")?.addEventListener("click", (event) => {
  event.preventDefault();
  beginAtTop();
});
window.addEventListener("hashchange", () => show());
onReload(() => show({ quiet: true }));
const begin = initialHash();
if (begin && begin !== location.hash) history.replaceState(null, "", begin);
show({ first: true });
