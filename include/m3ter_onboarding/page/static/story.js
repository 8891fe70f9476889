// One person: what is, and how it came to that.

import { h, quoted, table } from "./dom.js";
import { airflowLink, get, runPath, taskPath } from "./airflow.js";
import { instant, state } from "./words.js";
import { dagFor } from "./known.js";
import { inviteAgain } from "./actions.js";
import { decide } from "./review.js";

export async function personOfInvitation(ledger, id) {
  return shown(ledger, await get(`stories/invitation/${encodeURIComponent(ledger)}/${encodeURIComponent(id)}`));
}

export async function personOfRow(ledger, plan, row) {
  return shown(ledger, await get(`stories/decision/${[ledger, plan, row].map(encodeURIComponent).join("/")}`));
}

function shown(ledger, story) {
  const [newest] = story.invitations;
  const dag = newest ? dagFor(ledger, newest.dag_id) : null;
  const again = newest && ["failed", "expired"].includes(newest.state) ? inviteAgain(dag, story.employee_id) : null;
  return {
    title: "A person's story",
    content: [
      h("p", { class: "way" }, h("a", { href: "#/invitations" }, "Invitations"), " / a person"),
      h("h1", {}, quoted(story.email)),
      h(
        "dl",
        {},
        h("div", {}, h("dt", {}, "Employee"), h("dd", {}, quoted(story.employee_id))),
        h("div", {}, h("dt", {}, "Organisation"), h("dd", {}, quoted(story.org_id))),
        newest && h("div", {}, h("dt", {}, "Now"), h("dd", {}, state(newest.state))),
      ),
      again && h("div", { class: "actions" }, again),
      h("section", { "aria-labelledby": "invited" }, h("h2", { id: "invited" }, "Invitations"), table("Invitations of this person", ["Address", "State", "Began", "Invited", "Accepted", "Expires", "m3ter id", "What m3ter said", ""], story.invitations.map((one) => invitation(ledger, one)), { empty: "Never invited, and not found in m3ter.", unseen: true })),
      h("section", { "aria-labelledby": "story" }, h("h2", { id: "story" }, "What happened"), story.steps.length ? h("ol", { class: "steps" }, story.steps.map(step)) : h("p", { class: "empty" }, "Nothing was recorded.")),
    ],
  };
}

function invitation(ledger, one) {
  const dag = dagFor(ledger, one.dag_id);
  return [
    quoted(one.email),
    state(one.state),
    instant(one.created_at),
    instant(one.sent_at),
    instant(one.accepted_at),
    instant(one.expires_at),
    quoted(one.m3ter_id),
    one.message ? h("span", { class: "long" }, one.http_status ? `${one.http_status}: ` : "", quoted(one.message)) : "",
    dag?.may_edit ? decide(ledger, one) : "",
  ];
}

function step(one) {
  return h(
    "li",
    { class: one.kind },
    h("p", { class: "when" }, instant(one.at), " ", h("code", {}, one.name)),
    h("p", {}, one.state ? [state(one.state), " "] : "", one.said, one.decided_by ? ` It was ${one.decided_by}.` : ""),
    (one.detail || one.http_status) && h("p", { class: "long" }, one.http_status ? `HTTP ${one.http_status}. ` : "", one.detail ? quoted(one.detail) : ""),
    one.run_id && h("p", { class: "links" }, airflowLink(runPath(one.dag_id, one.run_id), "DAG run"), one.task_id && [" · ", airflowLink(taskPath(one.dag_id, one.run_id, one.task_id), `log of ${one.task_id}`)], " · ", h("a", { href: `#/run/${encodeURIComponent(one.dag_id)}/${encodeURIComponent(one.run_id)}` }, "this run's plan")),
  );
}
