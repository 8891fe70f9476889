/**
 * The plan of a run, to be read like a diff with the previous plan.
 *
 * @module
 */

import { rowHash, runHash } from "./addresses.js";
import { announce, badge, button, h, loadInto, prose, quoted, section, table } from "./elements.js";
import { exactNumber, instant } from "./formats.js";
import { decisionName, decisionWithReason } from "./glossary.js";
import { post } from "./requests.js";

/** @typedef {import("./elements.js").Child} Child */
/** @typedef {import("../api_types").ReadableDag} Dag */
/** @typedef {import("../api_types").RunDetails} RunDetails */
/** @typedef {import("../api_types").PlanHead} Plan */
/** @typedef {import("../api_types").PlannedRow} PlannedRow */
/** @typedef {import("../api_types").PlannedRows} PlannedRows */
/** @typedef {import("../api_types").GoneRow} GoneRow */
/** @typedef {import("../api_types").GoneRows} GoneRows */
/** @typedef {"invite" | "review" | "invalid" | "skip"} Decision */
/** @typedef {{ decision: Decision, sign: string, title: string, open: boolean }} Kind open: without a click */

/** @type {Kind[]} */
const KINDS = [
  { decision: "invite", sign: "+", title: "To be invited", open: true },
  { decision: "review", sign: "?", title: "For review", open: true },
  { decision: "invalid", sign: "!", title: "Invalid rows", open: false },
  { decision: "skip", sign: "=", title: "Nothing to do", open: false },
];
const GONE = "In the previous plan only";
const HEADS = ["", "Address", "Employee", "Why", "Starts", "Since the previous plan"];

/**
 * @param {Dag} dag
 * @param {RunDetails} run
 * @param {Plan} plan the newest of the run
 */
export function planDiff(dag, run, plan) {
  const previous = run.before;
  if (plan.state !== "sealed") return incomplete(run);
  const rows = exactNumber(plan.rows_read);
  return section(
    "plan",
    run.mode === "dry_run" ? "Preview" : "Plan",
    h(
      "p",
      {},
      `${rows} rows in, ${rows} decisions out; ${exactNumber(plan.invitations)} to be invited. `,
      status(plan),
    ),
    plan.policies.length > 0 && h("p", {}, "Permission policies given: ", listed(plan.policies)),
    run.plans.length > 1 &&
      h("p", { class: "faint" }, `The run was planned ${run.plans.length} times; this is the newest plan.`),
    previous &&
      h(
        "p",
        { class: "faint" },
        "Compared with the plan of ",
        h("a", { href: runHash(dag.dag_id, previous.run_id) }, previous.run_id),
        ".",
      ),
    countsTable(plan, previous),
    KINDS.map((kind) => decidedRows(dag, plan, kind)),
    previous && goneRows(dag, plan),
  );
}

/**
 * Return what is known of a plan that was begun: nothing, not that the query has no rows.
 * @param {RunDetails} run
 */
function incomplete({ outcome }) {
  const text =
    outcome === "running"
      ? "This plan is not complete: the query has not been read and decided about yet."
      : "This plan was never completed: the rows of its query are not known here, and nothing of it was sent.";
  return section("plan", "Plan", h("p", { class: "note" }, text));
}

/** @param {readonly string[]} names */
function listed(names) {
  return names.map((name, position) => [position ? ", " : "", quoted(name)]);
}

/**
 * Return whether the plan is sent, and who decided that.
 * @param {Plan} plan
 * @returns {Child}
 */
function status(plan) {
  if (!plan.sendable) return h("strong", {}, "Nothing in it is sent: ", prose(plan.not_sendable_because));
  if (plan.rejected_at) {
    const by = plan.rejected_by ? ["rejected by ", quoted(plan.rejected_by)] : "nobody answered in time";
    return h("strong", {}, "It is never sent: ", by, ", ", instant(plan.rejected_at), ".");
  }
  if (!plan.needs_approval) return "It needs no approval.";
  if (!plan.approved_at) return h("strong", {}, "It needs approval, and nobody has approved it.");
  return ["Approved by ", quoted(plan.approved_by), ", ", instant(plan.approved_at), "."];
}

/**
 * @param {Plan} plan
 * @param {Plan | null} previous
 */
function countsTable(plan, previous) {
  const names = [...new Set([...Object.keys(plan.counts), ...Object.keys(previous?.counts ?? {})])].sort();
  return table(
    "Decisions, by reason",
    ["Decision", "Why", "Rows", ...(previous ? ["Change since the previous plan"] : [])],
    names.map((name) => [
      h("code", {}, name),
      decisionWithReason(name),
      countButton(name, plan.counts[name]),
      ...(previous ? [difference((plan.counts[name] ?? 0) - (previous.counts[name] ?? 0))] : []),
    ]),
    { empty: "The query returned no rows." },
  );
}

/**
 * Return a count that opens its rows, which stand further down.
 * @param {string} name as `decision:reason`
 * @param {number | undefined} many
 */
function countButton(name, many) {
  if (!many) return exactNumber(many);
  const show = () => {
    const rows = /** @type {HTMLDetailsElement | null} */ (document.getElementById(`rows-${name.split(":")[0]}`));
    if (!rows) return;
    rows.open = true;
    rows.scrollIntoView();
    rows.querySelector("summary")?.focus();
  };
  return button(exactNumber(many), show, { "aria-label": `Show the rows of ${name}: ${exactNumber(many)}` });
}

/** @param {number} change */
function difference(change) {
  if (!change) return "none";
  return change > 0 ? `+${exactNumber(change)}` : exactNumber(change);
}

/**
 * @param {Dag} dag
 * @param {Plan} plan
 * @param {Kind} kind
 */
function decidedRows(dag, plan, { decision, sign, title, open }) {
  const many = Object.entries(plan.counts)
    .filter(([name]) => name.startsWith(`${decision}:`))
    .reduce((sum, [, count]) => sum + count, 0);
  if (!many) return null;
  const caption = `${title}: ${decisionName(decision)}`;
  /**
   * @param {HTMLElement} list
   * @param {number | null} [after] the row before the page
   * @returns {Promise<void>}
   */
  const load = (list, after = null) =>
    loadRows(list, async () => {
      const body = { dag_id: dag.dag_id, plan_id: plan.plan_id, decision, after };
      const page = /** @type {PlannedRows} */ (await post("run/rows", body));
      const rows = page.rows.map((row) => decidedRow(dag.ledger, row, decision, sign));
      const next = page.after;
      return [
        table(caption, HEADS, rows, { unseen: true }),
        h(
          "div",
          { class: "actions" },
          after !== null && button("First page", () => load(list)),
          next !== null && button("Next page", () => load(list, next)),
        ),
      ];
    });
  return expandable(decision, `${title} (${exactNumber(many)})`, open, load);
}

/**
 * @param {Dag} dag
 * @param {Plan} plan
 */
function goneRows(dag, plan) {
  return expandable("gone", GONE, false, (list) =>
    loadRows(list, async () => {
      const body = { dag_id: dag.dag_id, plan_id: plan.plan_id, decision: /** @type {const} */ ("gone") };
      const page = /** @type {GoneRows} */ (await post("run/rows", body));
      return [
        table(
          GONE,
          ["", "Address", "Employee", "Decision then"],
          page.rows.map((row) => goneRow(dag.ledger, row)),
          { empty: "Nobody: everybody in the previous plan is in this one too.", unseen: true },
        ),
        !page.complete && h("p", { class: "faint" }, "There may be more: only the first rows are compared."),
      ];
    }),
  );
}

/**
 * Show what is read in a list, which is busy meanwhile.
 * @param {HTMLElement} list
 * @param {() => Promise<Child>} read
 */
async function loadRows(list, read) {
  await loadInto(list, async () => {
    const rows = await read();
    announce("Rows shown.");
    return rows;
  });
}

/**
 * Make a list that is read when it is first opened.
 * @param {string} kind a class of page.css
 * @param {string} title
 * @param {boolean} open
 * @param {(list: HTMLElement) => Promise<void>} load
 */
function expandable(kind, title, open, load) {
  const list = h("div", {});
  const box = h("details", { id: `rows-${kind}`, class: `rows ${kind}`, open }, h("summary", {}, title), list);
  if (open) load(list);
  else box.addEventListener("toggle", () => box.open && !list.hasChildNodes() && load(list));
  return box;
}

/**
 * @param {string} ledger
 * @param {PlannedRow} row
 * @param {Decision} decision
 * @param {string} sign
 */
function decidedRow(ledger, row, decision, sign) {
  return h(
    "tr",
    { class: `diff ${decision}` },
    signCell(sign, decisionName(decision)),
    h("td", {}, h("a", { href: rowHash(ledger, row.plan_id, row.row_no) }, quoted(row.email))),
    h("td", {}, quoted(row.employee_id)),
    h(
      "td",
      {},
      h("code", {}, `${row.decision}:${row.reason}`),
      " ",
      row.detail ? quoted(row.detail) : row.said,
      ownColumns(row),
    ),
    h("td", {}, h("span", { class: "day" }, row.start_date ?? "–")),
    h("td", {}, changeOf(row)),
  );
}

/**
 * Return the columns of one's own that the row has.
 * @param {PlannedRow} row
 */
function ownColumns({ extra }) {
  const columns = Object.entries(extra);
  if (!columns.length) return null;
  return h(
    "p",
    { class: "faint" },
    columns.map(([name, value], place) => [place ? " · " : "", `${name}: `, quoted(value)]),
  );
}

/**
 * @param {string} ledger
 * @param {GoneRow} row
 */
function goneRow(ledger, row) {
  return h(
    "tr",
    { class: "diff gone" },
    signCell("−", "gone"),
    h("td", {}, h("a", { href: rowHash(ledger, row.plan_id, row.row_no) }, quoted(row.email))),
    h("td", {}, quoted(row.employee_id)),
    h("td", {}, row.said),
  );
}

/**
 * @param {string} sign
 * @param {string} meaning for screen readers
 */
function signCell(sign, meaning) {
  return h(
    "td",
    { class: "sign" },
    h("span", { "aria-hidden": "true" }, sign),
    h("span", { class: "unseen" }, meaning),
  );
}

/**
 * Return what changed since the previous plan.
 * @param {PlannedRow} row
 * @returns {Child}
 */
function changeOf({ change, before }) {
  if (change === "new") return badge("change-new", "new in this plan");
  if (change === "same") return h("span", { class: "faint" }, "as before");
  if (change === "changed") return [badge("change-changed", "changed"), " was ", before];
  return "";
}
