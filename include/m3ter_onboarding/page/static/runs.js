// A DAG's runs, and one run with its plan, to be read like a diff.

import { badge, button, h, problem, prose, quoted, say, table } from "./dom.js";
import { airflowLink, get, post, runPath, taskPath } from "./airflow.js";
import { exactly, instant, mode, number, outcome, reason, state, verdict } from "./words.js";
import { dagOf, known } from "./known.js";
import { dryRun, retryFailed } from "./actions.js";
import { runsTable } from "./overview.js";

const part = encodeURIComponent;
const SIGNS = { invite: "+", review: "?", invalid: "!", skip: "=" };
const TITLES = { invite: "To be invited", review: "Need a person", invalid: "Rows that cannot be used", skip: "Nothing to do" };

export async function dag(dagId) {
  await known({ anew: true });
  const one = dagOf(dagId);
  if (!one) return foreign(dagId);
  const list = h("div", {});
  const more = async (before) => {
    const page = await get("runs", before ? { dag_id: dagId, before } : { dag_id: dagId });
    const next = page.more && button("Older runs", () => more(page.rows.at(-1).started_at));
    list.replaceChildren(runsTable(page.rows), ...(next ? [h("div", { class: "actions" }, next)] : []));
    say("Runs shown.");
  };
  await more();
  return {
    title: one.name,
    content: [
      h("p", { class: "way" }, h("a", { href: "#/" }, "Overview"), " / DAG"),
      h("h1", {}, one.name),
      h("p", {}, airflowLink(`dags/${part(dagId)}`, "Open the DAG in Airflow")),
      h("div", { class: "actions" }, dryRun(one), retryFailed(one)),
      h("section", { "aria-labelledby": "runs" }, h("h2", { id: "runs" }, "Runs"), list),
    ],
  };
}

function foreign(dagId) {
  return {
    title: "No onboarding DAG",
    content: [h("h1", {}, "m3ter onboarding"), h("p", {}, "The DAG ", h("code", {}, dagId), " is no onboarding DAG, or you may not read it. Nothing is to be seen here."), h("p", {}, h("a", { href: "#/" }, "Overview of the onboarding DAGs"))],
  };
}

export async function run(dagId, runId) {
  await known();
  const one = dagOf(dagId);
  if (!one) return foreign(dagId);
  let told;
  try {
    told = await get("run", { dag_id: dagId, run_id: runId });
  } catch (error) {
    if (error.status !== 404) throw error;
    return {
      title: "Run",
      content: [way(one), h("h1", {}, runId), h("p", {}, "The ledger knows nothing of this run yet: its first task, ", h("code", {}, "snapshot"), ", has not begun, or did not get that far."), h("div", { class: "actions" }, reload()), h("p", {}, airflowLink(runPath(dagId, runId), "Open the run in Airflow"))],
    };
  }
  const [plan] = told.plans;
  return {
    title: `Run ${runId}`,
    content: [
      way(one),
      h("h1", {}, runId),
      h("p", { class: "links" }, airflowLink(runPath(dagId, runId), "DAG run"), ["snapshot", "plan", ...(told.plans[0]?.needs_approval ? ["approve"] : []), "send", "report"].map((task) => [" · ", airflowLink(taskPath(dagId, runId, task), `log of ${task}`)])),
      h(
        "dl",
        {},
        fact("Outcome", outcome(told.outcome)),
        fact("What", mode(told.mode) + (told.run_type === "backfill" ? ", backfill" : "")),
        fact("Started by", `${told.triggered_by ?? "the schedule"} (${told.run_type})`),
        fact("Began", instant(told.started_at)),
        fact("Ended", instant(told.finished_at)),
        fact("For", [instant(told.interval_start), " to ", instant(told.interval_end)]),
        fact("The query read", [instant(told.window_start), " to ", instant(told.window_end)]),
        fact("Organisation", quoted(told.org_id)),
        told.allow_invitations !== null && fact("The connection", told.allow_invitations ? "may send invitations" : "may not send invitations"),
        told.only_employee && fact("Only employee", quoted(told.only_employee)),
        fact("Version, configuration", h("code", {}, `${told.package_version}, ${told.config_hash}`)),
      ),
      told.outcome === "running" && h("div", { class: "actions" }, reload()),
      Object.keys(told.states).length > 0 && h("section", { "aria-labelledby": "became" }, h("h2", { id: "became" }, "What became of its invitations"), h("p", { class: "states" }, Object.entries(told.states).map(([name, many]) => [state(name), ` ${number(many)} `]))),
      plan ? planShown(one, told, plan) : h("p", { class: "note" }, "No plan was made yet. The log of the task plan says why, if it ended."),
    ],
  };
}

function way(one) {
  return h("p", { class: "way" }, h("a", { href: "#/" }, "Overview"), " / ", h("a", { href: `#/dag/${part(one.dag_id)}` }, one.name), " / run");
}

function reload() {
  return button("Load again", () => window.dispatchEvent(new Event("m3ter:reload")));
}

function fact(name, value) {
  return h("div", {}, h("dt", {}, name), h("dd", {}, value));
}

function planShown(one, told, plan) {
  const before = told.before;
  return h(
    "section",
    { "aria-labelledby": "plan" },
    h("h2", { id: "plan" }, told.mode === "dry_run" ? "Preview" : "Plan"),
    plan.state !== "sealed" && h("p", { class: "note" }, "This plan is not complete."),
    h("p", {}, `${exactly(plan.rows_read)} rows in, ${exactly(plan.rows_read)} decisions out; ${exactly(plan.invitations)} to be invited. `, sendable(plan)),
    plan.policies.length > 0 && h("p", {}, "Permission policies given: ", plan.policies.map((name, place) => [place ? ", " : "", quoted(name)])),
    told.plans.length > 1 && h("p", { class: "faint" }, `The run was planned ${told.plans.length} times; this is the newest plan.`),
    before && h("p", { class: "faint" }, "Compared with the plan of ", h("a", { href: `#/run/${part(one.dag_id)}/${part(before.run_id)}` }, before.run_id), "."),
    counts(plan, before),
    ["invite", "review", "invalid", "skip"].map((kind) => rows(one, plan, kind)),
    before && rows(one, plan, "gone"),
  );
}

function sendable(plan) {
  if (!plan.sendable) return h("strong", {}, "Nothing of it is sent: ", prose(plan.not_sendable_because));
  if (plan.rejected_at) return h("strong", {}, "It is never sent: ", plan.rejected_by ? ["rejected by ", quoted(plan.rejected_by)] : "nobody answered in time", ", ", instant(plan.rejected_at), ".");
  if (!plan.needs_approval) return "It needs no approval.";
  return plan.approved_at ? ["Approved by ", quoted(plan.approved_by), ", ", instant(plan.approved_at), "."] : h("strong", {}, "It needs approval, and nobody has approved it.");
}

function counts(plan, before) {
  const names = [...new Set([...Object.keys(plan.counts), ...Object.keys(before?.counts ?? {})])].sort();
  const change = (name) => (plan.counts[name] ?? 0) - (before?.counts[name] ?? 0);
  return table(
    "Decisions, by reason",
    ["Decision", "Why", "Rows", ...(before ? ["Change since the plan before"] : [])],
    names.map((name) => [h("code", {}, name), reason(name), exactly(plan.counts[name]), ...(before ? [change(name) ? (change(name) > 0 ? `+${exactly(change(name))}` : exactly(change(name))) : "none"] : [])]),
    { empty: "The query returned no rows." },
  );
}

function rows(one, plan, kind) {
  const many = Object.entries(plan.counts).filter(([name]) => name.startsWith(`${kind}:`)).reduce((sum, [, count]) => sum + count, 0);
  if (!many && kind !== "gone") return null;
  const list = h("div", {});
  const load = async (after = null) => {
    list.setAttribute("aria-busy", "true");
    try {
      const page = await post("run/rows", { dag_id: one.dag_id, plan_id: plan.plan_id, decision: kind, after });
      list.replaceChildren(
        kind === "gone" ? gone(one, page) : decided(one, page, kind),
        h("div", { class: "actions" }, after !== null && button("First page", () => load()), page.after !== null && page.after !== undefined && button("Next page", () => load(page.after))),
      );
      say("Rows shown.");
    } catch (error) {
      list.replaceChildren(problem(error.message));
    } finally {
      list.removeAttribute("aria-busy");
    }
  };
  const title = kind === "gone" ? "In the plan before, and not in this one" : `${TITLES[kind]} (${exactly(many)})`;
  const open = kind === "invite" || kind === "review";
  const box = h("details", { class: `rows ${kind}`, open }, h("summary", {}, title), list);
  if (open) load();
  else box.addEventListener("toggle", () => box.open && !list.hasChildNodes() && load());
  return box;
}

function changed(row) {
  if (row.change === null) return "";
  if (row.change === "new") return badge("change-new", "new in this plan");
  if (row.change === "same") return h("span", { class: "faint" }, "as before");
  return [badge("change-changed", "changed"), " was ", row.before];
}

function decided(one, page, kind) {
  return table(
    `${TITLES[kind]}: ${verdict(kind)}`,
    ["", "Address", "Employee", "Why", "Starts", "Since the plan before"],
    page.rows.map((row) =>
      h(
        "tr",
        { class: `diff ${kind}` },
        h("td", { class: "sign" }, h("span", { "aria-hidden": "true" }, SIGNS[kind]), h("span", { class: "unseen" }, verdict(kind))),
        h("td", {}, h("a", { href: `#/row/${part(one.ledger)}/${part(row.plan_id)}/${row.row_no}` }, quoted(row.email))),
        h("td", {}, quoted(row.employee_id)),
        h("td", {}, h("code", {}, `${row.decision}:${row.reason}`), " ", row.detail ? quoted(row.detail) : row.said),
        h("td", {}, h("span", { class: "day" }, row.start_date ?? "–")),
        h("td", {}, changed(row)),
      ),
    ),
    { unseen: true },
  );
}

function gone(one, page) {
  return h(
    "div",
    {},
    table(
      "In the plan before, and not in this one",
      ["", "Address", "Employee", "What was decided"],
      page.rows.map((row) => h("tr", { class: "diff gone" }, h("td", { class: "sign" }, h("span", { "aria-hidden": "true" }, "−"), h("span", { class: "unseen" }, "gone")), h("td", {}, h("a", { href: `#/row/${part(one.ledger)}/${part(row.plan_id)}/${row.row_no}` }, quoted(row.email))), h("td", {}, quoted(row.employee_id)), h("td", {}, row.said))),
      { empty: "Nobody: everybody of the plan before is in this one too.", unseen: true },
    ),
    !page.complete && h("p", { class: "faint" }, "There may be more: only the first rows are compared."),
  );
}
