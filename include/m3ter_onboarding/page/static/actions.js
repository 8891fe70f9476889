// Runs that are started from here: by Airflow's API, by those who may, after a question.

import { ask, button, h, problem, say } from "./dom.js";
import { airflowLink, runPath, trigger } from "./airflow.js";

function starter(dag, text, conf, question) {
  const result = h("div", { class: "result" });
  const start = button(text, async () => {
    const paused = dag.paused ? ["This DAG is paused: the run waits until somebody unpauses it."] : [];
    if ((await ask({ ...question, text: [...question.text, ...paused], yes: text })) === null) return;
    start.disabled = true;
    try {
      const made = await trigger(dag.dag_id, conf);
      say("The run was started.");
      result.replaceChildren(
        h("p", { class: "done" }, "Started: ", airflowLink(runPath(dag.dag_id, made.dag_run_id), made.dag_run_id)),
        h("p", {}, h("a", { href: `#/run/${encodeURIComponent(dag.dag_id)}/${encodeURIComponent(made.dag_run_id)}` }, "Its plan, here"), ", once it has begun."),
      );
    } catch (error) {
      result.replaceChildren(problem(error.message));
    } finally {
      start.disabled = false;
    }
  });
  return h("div", { class: "action" }, start, result);
}

function may(dag, mode) {
  return dag && dag.may_trigger && dag.modes.includes(mode);
}

export function dryRun(dag) {
  if (!may(dag, "dry_run")) return null;
  return starter(dag, "Dry run now", { mode: "dry_run" }, {
    title: "Dry run now?",
    text: [`${dag.dag_id} reads the warehouse and m3ter, and decides about everybody. Nothing is sent.`],
  });
}

export function retryFailed(dag) {
  if (!may(dag, "retry_failed")) return null;
  return starter(dag, "Retry failed", { mode: "retry_failed" }, {
    title: "Retry those that failed?",
    text: [`${dag.dag_id} tries again to invite everybody whom m3ter refused. E-mails are sent to those it takes now.`],
  });
}

export function inviteAgain(dag, employeeId) {
  if (!employeeId || !may(dag, "retry_failed")) return null;
  return starter(dag, "Invite again", { mode: "retry_failed", only_employee: employeeId }, {
    title: "Invite this person again?",
    text: [`${dag.dag_id} starts a run for employee ${employeeId} alone. If nothing stands against it, an e-mail is sent.`],
  });
}
