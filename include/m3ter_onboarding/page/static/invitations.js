// The list: searched, filtered, sorted and paged by the server.

import { button, h, problem, quoted, say, table } from "./dom.js";
import { download, post } from "./airflow.js";
import { instant, state, states, stateName } from "./words.js";
import { known } from "./known.js";

const SORTS = [
  ["changed", true, "Last change, newest first"],
  ["changed", false, "Last change, oldest first"],
  ["address", false, "Address, A to Z"],
  ["address", true, "Address, Z to A"],
  ["expires", false, "Expires soonest (those that can)"],
];

// Kept while the page is open, in no address.
const asked = { ledger: null, ledgers: 1, search: "", states: [], org_id: null, sort: "0" };

export async function invitations(only) {
  const all = await known();
  const ledgers = all.ledgers.filter((ledger) => !ledger.problem);
  const away = all.ledgers.filter((ledger) => ledger.problem).map((ledger) => problem(ledger.problem));
  if (!ledgers.length) return { title: "Invitations", content: [h("h1", {}, "Invitations"), away, h("p", {}, "No run yet.")] };
  if (only) asked.states = only in states() ? [only] : [];
  if (only === "unknown") asked.states = ["sending", "unknown"];
  if (!ledgers.some((ledger) => ledger.key === asked.ledger)) asked.ledger = ledgers[0].key;
  asked.ledgers = ledgers.length;
  const results = h("div", {});
  const load = (more) => fill(results, more);
  const content = [h("h1", {}, "Invitations"), away, form(ledgers, load), results];
  await load();
  return { title: "Invitations", content };
}

function body(after = null) {
  const [sort, descending] = SORTS[Number(asked.sort)];
  return { ledger: asked.ledger, search: asked.search, states: asked.states, org_id: asked.org_id, sort, descending, after };
}

function form(ledgers, load) {
  const search = h("input", { id: "search", type: "search", maxlength: "400", autocomplete: "off", spellcheck: "false" });
  search.value = asked.search;
  const choose = (id, name, options, chosen) => {
    const select = h("select", { id, onchange: () => { asked[name] = select.value || null; load(); } }, options.map(([value, text]) => h("option", { value, selected: value === chosen }, text)));
    return select;
  };
  const ledger = ledgers.find((one) => one.key === asked.ledger);
  const boxes = Object.keys(states()).map((name) => {
    const box = h("input", { type: "checkbox", value: name, checked: asked.states.includes(name), onchange: () => {
      asked.states = boxes.map((one) => one.querySelector("input")).filter((one) => one.checked).map((one) => one.value);
      load();
    } });
    return h("label", { class: "choice" }, box, ` ${stateName(name)}`);
  });
  return h(
    "form",
    { class: "filters", role: "search", "aria-label": "Invitations", onsubmit: (event) => { event.preventDefault(); asked.search = search.value; load(); } },
    h("div", { class: "field grow" }, h("label", { for: "search" }, "Beginning of an address, or a whole employee_id or m3ter id"), h("div", { class: "together" }, search, h("button", { type: "submit", class: "primary" }, "Search"))),
    ledgers.length > 1 && h("div", { class: "field" }, h("label", { for: "ledger" }, "Ledger"), choose("ledger", "ledger", ledgers.map((one) => [one.key, one.name]), asked.ledger)),
    ledger.organisations.length > 1 && h("div", { class: "field" }, h("label", { for: "org" }, "Organisation"), choose("org", "org_id", [["", "all"], ...ledger.organisations.map((one) => [one, one])], asked.org_id ?? "")),
    h("div", { class: "field" }, h("label", { for: "sort" }, "Order"), choose("sort", "sort", SORTS.map(([, , text], place) => [String(place), text]), asked.sort)),
    h("fieldset", { class: "choices" }, h("legend", {}, "State; none chosen: all"), boxes),
  );
}

// Answers may overtake one another: what was asked last is shown.
let newest = 0;

async function fill(results, after = null) {
  const mine = ++newest;
  results.setAttribute("aria-busy", "true");
  try {
    const page = await post("invitations", body(after));
    if (mine !== newest) return;
    results.replaceChildren(
      h("p", { class: "faint" }, asked.search.trim() ? "A search lists by address; whoever has exactly this employee_id or m3ter id comes first." : ""),
      table("Invitations", ["Address", "Employee", "State", "Invited", "Expires", "Last change", "What m3ter said"], page.rows.map(row), { empty: nothing(), unseen: true }),
      h(
        "div",
        { class: "actions" },
        after && button("First page", () => fill(results)),
        page.after && button("Next page", () => fill(results, page.after)),
        page.rows.length > 0 && exporter(),
      ),
    );
    say(`${page.rows.length} invitations shown${page.after ? ", there are more" : ""}.`);
  } catch (error) {
    if (mine === newest) results.replaceChildren(problem(error.message));
  } finally {
    if (mine === newest) results.removeAttribute("aria-busy");
  }
}

function nothing() {
  const others = asked.ledgers > 1 ? " There are other ledgers; choose one above." : "";
  return `No invitation is like that in this ledger.${others}`;
}

function exporter() {
  const made = button("Export all of these as CSV", async () => {
    made.disabled = true;
    try {
      await download("export", body(), "m3ter-invitations.csv");
      say("The file is complete.");
    } catch (error) {
      made.after(problem(error.message));
    } finally {
      made.disabled = false;
    }
  });
  return made;
}

function row(one) {
  return [
    h("a", { href: `#/person/${encodeURIComponent(asked.ledger)}/${one.invitation_id}` }, h("bdi", {}, one.email)),
    quoted(one.employee_id),
    state(one.state),
    instant(one.sent_at),
    instant(one.expires_at),
    instant(one.updated_at),
    one.message ? h("span", { class: "long" }, one.http_status ? `${one.http_status}: ` : "", quoted(one.message)) : "",
  ];
}
