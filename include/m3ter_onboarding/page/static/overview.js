// How it goes, and what needs attention.

import { h, problem, quoted, table } from "./dom.js";
import { get } from "./airflow.js";
import { exactly, instant, mode, number, outcome, state } from "./words.js";
import { known, dagOf } from "./known.js";
import { dryRun, retryFailed } from "./actions.js";
import { chart } from "./chart.js";

const part = encodeURIComponent;

export function runLink(run) {
  return h("a", { href: `#/run/${part(run.dag_id)}/${part(run.run_id)}` }, run.run_id);
}

export async function overview() {
  const all = await known({ anew: true });
  if (!all.dags.length) {
    return {
      title: "Overview",
      content: [
        h("h1", {}, "Overview"),
        h("p", {}, "There is no onboarding DAG that you may read. The guide \"Adopt it\" of the documentation tells how one is made."),
      ],
    };
  }
  const away = all.ledgers.filter((ledger) => ledger.problem);
  const read = all.ledgers.filter((ledger) => !ledger.problem);
  const runs = read.flatMap((ledger) => ledger.runs).sort((a, b) => (a.started_at < b.started_at ? 1 : -1)).slice(0, 20);
  const place = h("div", { "aria-busy": "true" }, h("p", { class: "faint" }, "Loading the chart …"));
  if (read.length) loadLater(place);
  return {
    title: "Overview",
    content: [
      h("h1", {}, "Overview"),
      away.map((ledger) => (ledger.empty ? h("p", { class: "note" }, ledger.problem) : problem(ledger.problem))),
      read.length > 0 && attention(all, read),
      h("section", { "aria-labelledby": "dags" }, h("h2", { id: "dags" }, "Organisations"), h("div", { class: "cards" }, all.dags.map((dag) => card(dag, all)))),
      read.length > 0 && h("section", { "aria-labelledby": "chart" }, h("h2", { id: "chart" }, "Invitations over time"), place),
      read.length > 0 && h("section", { "aria-labelledby": "runs" }, h("h2", { id: "runs" }, "Last runs"), runsTable(runs)),
    ],
  };
}

// After the first paint: nothing waits for the chart.
function loadLater(place) {
  requestAnimationFrame(() =>
    setTimeout(async () => {
      try {
        place.replaceChildren(chart((await get("chart")).days));
      } catch (error) {
        place.replaceChildren(problem(error.message));
      } finally {
        place.removeAttribute("aria-busy");
      }
    }, 0),
  );
}

export function runsTable(runs) {
  return table(
    "Last runs",
    ["Run", "DAG", "Began", "What", "Rows", "To invite", "Outcome"],
    runs.map((run) => [
      runLink(run),
      h("a", { href: `#/dag/${part(run.dag_id)}` }, dagOf(run.dag_id)?.name ?? run.dag_id),
      instant(run.started_at),
      mode(run.mode) + (run.run_type === "backfill" ? ", backfill" : ""),
      run.plan ? exactly(run.plan.rows_read) : "–",
      run.plan ? exactly(run.plan.invitations) : "–",
      outcome(run.outcome),
    ]),
    { empty: "No run yet.", unseen: true },
  );
}

function attention(all, ledgers) {
  const items = [];
  const add = (many, text, href, kind) => many && items.push(h("li", { class: kind }, h("a", { href }, h("strong", {}, number(many)), ` ${text}`)));
  for (const ledger of ledgers) {
    for (const dag of ledger.dags) {
      const [last] = ledger.runs.filter((run) => run.dag_id === dag.dag_id);
      const told = last && lastRun(last, dagOf(dag.dag_id)?.name ?? dag.dag_id);
      if (told) items.push(told);
    }
    const where = ledgers.length > 1 ? ` (${ledger.name})` : "";
    const rows = ledger.dags.reduce((sum, dag) => sum + dag.plan_review, 0);
    const invalid = ledger.dags.reduce((sum, dag) => sum + dag.plan_invalid, 0);
    const open = (ledger.states.sending ?? 0) + (ledger.states.unknown ?? 0);
    add(ledger.states.failed, `refused by m3ter${where}`, "#/invitations/failed", "bad");
    add(ledger.states.review, `of which nobody can tell whether they were sent${where}`, "#/review", "bad");
    add(rows, `for review in the last plans${where}`, "#/review", "warn");
    const [first] = ledger.dags.filter((dag) => dag.plan_invalid);
    if (first) add(invalid, `unusable in the last plans (rows)${where}`, `#/run/${part(first.dag_id)}/${part(first.plan_run_id)}`, "warn");
    add(open, `on their way: an answer is still looked for${where}`, "#/invitations/unknown", "info");
    add(ledger.expire_before_start, `to expire before the first day of work${where}`, "#/invitations/sent", "warn");
  }
  return h(
    "section",
    { "aria-labelledby": "attention" },
    h("h2", { id: "attention" }, "Needs attention"),
    items.length ? h("ul", { class: "attention" }, items) : h("p", { class: "fine" }, "Nothing: everybody is invited, waiting or decided."),
  );
}

// Runs are sorted, the newest first.
function lastRun(run, name) {
  const plan = run.plan;
  const href = `#/run/${part(run.dag_id)}/${part(run.run_id)}`;
  if (run.outcome === "failed") return h("li", { class: "bad" }, h("a", { href }, `The last run failed: ${name}`));
  const waits = !run.outcome || run.outcome === "running";
  if (waits && plan?.sendable && plan.needs_approval && !plan.approved_at && !plan.rejected_at) {
    return h("li", { class: "warn" }, h("a", { href }, h("strong", {}, exactly(plan.invitations)), ` wait for approval: ${name}`));
  }
  return null;
}

function card(dag, all) {
  const ledger = all.ledgers.find((one) => one.key === dag.ledger);
  const told = ledger?.dags?.find((one) => one.dag_id === dag.dag_id);
  const may = { true: "may send invitations", false: "may not send invitations" }[String(told?.allow_invitations)];
  return h(
    "article",
    { class: "card", "aria-label": dag.name },
    h("h3", {}, h("a", { href: `#/dag/${part(dag.dag_id)}` }, dag.name)),
    dag.paused && h("p", { class: "note" }, "Paused in Airflow."),
    !dag.active && h("p", { class: "note" }, "Its file is gone from Airflow."),
    h(
      "dl",
      {},
      h("div", {}, h("dt", {}, "Organisation"), h("dd", {}, quoted(told?.org_id))),
      h("div", {}, h("dt", {}, "Its connection, in the last run"), h("dd", {}, may ?? "–")),
    ),
    told?.funnel ? funnel(dag, told.funnel) : h("p", { class: "faint" }, "No invitations planned in the last runs."),
    h("div", { class: "actions" }, dryRun(dag), retryFailed(dag)),
    ledger?.states && all.dags.filter((one) => one.ledger === dag.ledger).length === 1 && h("p", { class: "states" }, Object.entries(ledger.states).map(([name, many]) => [h("a", { href: `#/invitations/${name}` }, state(name), ` ${number(many)}`), " "])),
  );
}

function funnel(dag, counts) {
  const steps = [
    ["planned", counts.planned, exactly(counts.planned)],
    ["sent", counts.sent, number(counts.sent)],
    ["accepted", counts.accepted, number(counts.accepted)],
  ];
  return h(
    "div",
    { class: "funnel" },
    h("p", {}, "Last run with invitations: ", runLink({ dag_id: dag.dag_id, run_id: counts.run_id })),
    h("ol", {}, steps.map(([name, many, text]) => h("li", {}, h("span", { class: "step" }, h("strong", {}, text), ` ${name}`), h("meter", { min: "0", max: String(Math.max(counts.planned, 1)), value: String(many), "aria-label": `${text} ${name}` })))),
  );
}
