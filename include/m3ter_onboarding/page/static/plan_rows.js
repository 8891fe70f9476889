/**
 * The rows of a plan, kind by kind, each beside what the previous plan decided.
 *
 * @module
 */

import { rowHash } from "./addresses.js";
import { addressText, idText } from "./copied_values.js";
import { announce, badge, button, h, loadInto, prose, quoted, table } from "./elements.js";
import { exportButton, exportLabel, fileName } from "./filters.js";
import { capital, counted, exactNumber, instant } from "./formats.js";
import { code, decisionName, reasonName, stateBadge, stateName, wayOut } from "./glossary.js";
import { download, post } from "./requests.js";

/** @typedef {import("./elements.js").Child} Child */
/** @typedef {import("../api_types").ReadableDag} Dag */
/** @typedef {import("../api_types").PlanHead} Plan */
/** @typedef {import("../api_types").PlannedRow} PlannedRow */
/** @typedef {import("../api_types").PlannedRows} PlannedRows */
/** @typedef {import("../api_types").GoneRow} GoneRow */
/** @typedef {import("../api_types").GoneRows} GoneRows */
/** @typedef {"invite" | "review" | "invalid" | "skip"} Decision */
/**
 * @typedef {object} Kind
 * @property {Decision} decision
 * @property {string} sign
 * @property {string} title
 * @property {(many: number) => string} counted the words behind the number of its rows
 * @property {boolean} open without a click
 */

/** @type {Kind[]} */
export const KINDS = [
  { decision: "invite", sign: "+", title: "To be invited", counted: () => "to invite", open: true },
  {
    decision: "review",
    sign: "?",
    title: "For review",
    counted: (many) => (many === 1 ? "needs a person" : "need a person"),
    open: true,
  },
  { decision: "invalid", sign: "!", title: "Invalid rows", counted: () => "unusable", open: false },
  { decision: "skip", sign: "=", title: "Nothing to do", counted: () => "nothing to do", open: false },
];
const GONE = "In the previous plan only";

/**
 * @param {Plan} plan
 * @param {Decision} decision
 */
export function rowsOfKind(plan, decision) {
  return Object.entries(plan.counts)
    .filter(([name]) => name.startsWith(`${decision}:`))
    .reduce((sum, [, count]) => sum + count, 0);
}

/**
 * @param {Dag} dag
 * @param {Plan} plan
 * @param {Kind} kind
 * @param {string | null} sent what became of them; null: the decision stands
 */
export function decidedRows(dag, plan, { decision, sign, title, open }, sent) {
  const many = rowsOfKind(plan, decision);
  if (!many) return null;
  const caption = sent ?? `${title}: ${decisionName(decision)}`;
  /** @type {string | null} the only one whose rows are shown; null: all are */
  let reason = null;
  /**
   * @param {HTMLElement} list
   * @param {number | null} after
   * @returns {Promise<Child>}
   */
  const read = async (list, after) => {
    const wanted = reason;
    const body = { dag_id: dag.dag_id, plan_id: plan.plan_id, decision, reason, after };
    const page = /** @type {PlannedRows} */ (await post("run/rows", body));
    if (wanted !== reason) return read(list, null); // chosen meanwhile
    const rows = page.rows.map((row) => decidedRow(dag, row, decision, sign));
    const next = page.after;
    return [
      reason && narrowed(plan, decision, reason, () => showReason(`${decision}:`)),
      h("div", { class: "actions" }, planExport(dag, plan, decision, reason)),
      table(caption, headsOf(decision), rows, { unseen: true }),
      h(
        "div",
        { class: "actions" },
        after !== null && button("First page", () => load(list)),
        next !== null && button("Next page", () => load(list, next)),
      ),
    ];
  };
  /**
   * @param {HTMLElement} list
   * @param {number | null} [after] the row before the page
   * @returns {Promise<void>}
   */
  const load = (list, after = null) => loadRows(list, () => read(list, after));
  const box = expandable(decision, sent ? capital(sent) : `${title} (${exactNumber(many)})`, open, load);
  narrowings.set(box, (only) => {
    reason = only;
    const list = /** @type {HTMLElement} */ (box.lastElementChild);
    list.replaceChildren();
    if (box.open) load(list);
    else box.open = true; // which reads them
  });
  return box;
}

/** @type {WeakMap<HTMLElement, (only: string | null) => void>} how each box shows the rows of one reason, or all */
const narrowings = new WeakMap();

/**
 * Show the rows of one reason.
 * @param {string} name `decision:reason`; `decision:`: the rows of all reasons
 */
export function showReason(name) {
  const [decision, reason] = name.split(":");
  const box = document.getElementById(`rows-${decision}`);
  if (!box) return;
  box.hidden = false;
  narrowings.get(box)?.(reason || null);
  box.scrollIntoView();
  box.querySelector("summary")?.focus();
}

/**
 * Say which rows are shown, beside the way to all of them.
 * @param {Plan} plan
 * @param {Decision} decision
 * @param {string} reason
 * @param {() => void} all
 */
function narrowed(plan, decision, reason, all) {
  const many = counted(plan.counts[`${decision}:${reason}`] ?? 0, "row");
  const text = `Only the ${many} of this reason: ${reasonName(reason)}. `;
  return h("p", { class: "note" }, text, button(`Show all ${exactNumber(rowsOfKind(plan, decision))}`, all));
}

/**
 * @param {Dag} dag
 * @param {Plan} plan
 */
export function goneRows(dag, plan) {
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

/** @param {Decision} decision */
function headsOf(decision) {
  const middle =
    decision === "invite"
      ? ["Name", "Why", "Policies", "Starts", "Outcome", "Expires"]
      : [...(decision === "skip" ? [] : ["Name"]), "Why", "What to do", "Starts"];
  return ["", "Address", "Employee", ...middle, "Since the previous plan"];
}

/**
 * Return the button that saves rows of a plan, the reason beside each.
 * @param {Dag} dag
 * @param {Plan} plan
 * @param {Decision | null} [decision] none: all rows
 * @param {string | null} [reason] none: those of all reasons
 */
export function planExport(dag, plan, decision = null, reason = null) {
  const body = { dag_id: dag.dag_id, plan_id: plan.plan_id, decision, reason };
  const name = fileName(["m3ter-decisions", decision, reason].filter(Boolean).join("-"), [dag]);
  const ofKind = decision && (reason ? (plan.counts[`${decision}:${reason}`] ?? 0) : rowsOfKind(plan, decision));
  const total = ofKind ?? plan.rows_read ?? 0;
  const label = decision ? exportLabel({ total }) : `All ${counted(total, "row")} as CSV`;
  return exportButton(() => download("run/export", body, name), label);
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
 * @param {Dag} dag
 * @param {PlannedRow} row
 * @param {Decision} decision
 * @param {string} sign
 */
function decidedRow({ dag_id, ledger }, row, decision, sign) {
  return h(
    "tr",
    { class: `diff ${decision}` },
    signCell(sign, row.state ? stateName(row.state) : decisionName(decision)),
    personCells(rowHash(ledger, row.plan_id, row.row_no), row),
    decision !== "skip" && h("td", {}, quoted(row.person_name)),
    h("td", {}, h("span", { class: "long" }, whyOf(row))),
    decision === "invite" && h("td", {}, listed(row.policies)),
    decision !== "invite" && h("td", {}, decision === "skip" ? "" : h("span", { class: "long" }, wayOf(dag_id, row))),
    h("td", {}, h("span", { class: "whole" }, row.start_date ?? "–")),
    decision === "invite" && h("td", {}, outcomeOf(row)),
    decision === "invite" && h("td", {}, instant(row.expires_at)),
    h("td", {}, changeOf(row)),
  );
}

/**
 * Return what became of a row that was to be invited, and where nothing was sent, why.
 * @param {PlannedRow} row
 */
function outcomeOf({ state, why_not }) {
  const why = why_not && h("p", { class: "long" }, h("bdi", {}, prose(why_not)));
  return [state ? stateBadge(state) : "not sent", why];
}

/**
 * Return what can be done about a row, and the way to where it is done.
 * @param {string} dagId
 * @param {PlannedRow} row
 */
function wayOf(dagId, { decision, reason }) {
  if (reason === "duplicate_in_batch") return prose(wayOut(reason)); // asked about with the row that counts
  const href = `#/review/${decision}/${encodeURIComponent(reason)}?dag=${encodeURIComponent(dagId)}`;
  return [prose(wayOut(reason)), " ", h("a", { href }, "In Review")];
}

/**
 * Return the cells of address and employee; where there is no address, the employee is the link to the person.
 * @param {string} href
 * @param {{ email: string | null, employee_id: string | null }} row
 */
function personCells(href, { email, employee_id }) {
  const byEmployee = !email && employee_id;
  return [
    h("td", {}, byEmployee ? quoted(null) : h("a", { href }, addressText(email))),
    h("td", {}, byEmployee ? h("a", { href }, idText(employee_id)) : idText(employee_id)),
  ];
}

/** @param {PlannedRow} row */
function whyOf(row) {
  const { decision, reason, detail, email, wrong_value } = row;
  const wrong = wrong_value !== email && wrong_value;
  return [
    detail ? h("bdi", {}, prose(detail)) : `${capital(reasonName(reason))}.`,
    " ",
    code(`${decision}:${reason}`),
    wrong && h("p", { class: "note" }, "In the row: ", quoted(wrong)),
    ownColumns(row),
  ];
}

/** @param {readonly string[]} names */
export function listed(names) {
  return names.map((name, position) => [position ? ", " : "", quoted(name)]);
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
    personCells(rowHash(ledger, row.plan_id, row.row_no), row),
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
