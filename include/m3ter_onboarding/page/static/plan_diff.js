/**
 * The plan of a run, to be read like a diff with the previous plan.
 *
 * @module
 */

import { runHash } from "./addresses.js";
import { button, h, prose, quoted, section, table } from "./elements.js";
import { counted, exactNumber, instant } from "./formats.js";
import { code, kindName } from "./glossary.js";
import { decidedRows, goneRows, KINDS, listed, planExport, rowsOfKind, showReason } from "./plan_rows.js";
import { sendExactlyButton } from "./run_buttons.js";

/** @typedef {import("./elements.js").Child} Child */
/** @typedef {import("../api_types").ReadableDag} Dag */
/** @typedef {import("../api_types").RunDetails} RunDetails */
/** @typedef {import("../api_types").PlanHead} Plan */

/**
 * @param {Dag} dag
 * @param {RunDetails} run
 * @param {Plan} plan the newest of the run
 */
export function planDiff(dag, run, plan) {
  const previous = run.before;
  const sent = sentText(run, plan);
  if (plan.state !== "sealed") return incomplete(run);
  const [rows, decisions] = ["row", "decision"].map((one) => counted(plan.rows_read ?? 0, one));
  return section(
    "plan",
    run.mode === "dry_run" ? "Preview" : "Plan",
    h(
      "p",
      {},
      `${rows} in, ${decisions} out; ${sent ?? `${exactNumber(plan.invitations)} to be invited`}. `,
      status(plan),
    ),
    run.approval && h("p", {}, whyAsked(run.approval, plan, run.outcome === "running")),
    plan.policies.length > 0 && h("p", {}, "Permission policies given: ", listed(plan.policies), administrators(run)),
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
    h("div", { class: "actions" }, sendExactlyButton(dag, run, plan), planExport(dag, plan)),
    planBar(plan, sent),
    KINDS.map((kind) => decidedRows(dag, plan, kind, kind.decision === "invite" ? sent : null)),
    previous && goneRows(dag, plan),
    countsTable(plan, previous),
  );
}

/**
 * Return why a person has to approve the plan, and until when they may.
 * @param {import("../api_types").Approval} approval
 * @param {Plan} plan
 * @param {boolean} running whether the run can still be answered
 */
function whyAsked({ because, until }, { sendable, approved_at, rejected_at }, running) {
  const why = because.map((reason, place) => [place ? ", and " : "", prose(reason)]);
  if (!sendable) return ["To send it, a person would be asked, because ", why, "."];
  const open = running && !approved_at && !rejected_at && until;
  return [
    running ? "A person is asked because " : "A person had to approve it, because ",
    why,
    ".",
    open && [" Without an answer until ", instant(until), " it is not sent."],
  ];
}

/** @param {RunDetails} run */
function administrators({ administrators: names }) {
  if (!names.length) return ". None of them makes administrators.";
  return [". ", h("strong", {}, "They make administrators: "), listed(names), "."];
}

/**
 * Return the plan in one line, which is also the choice of the rows that are shown.
 * @param {Plan} plan
 * @param {string | null} sent what became of those to invite; null: they are still to be
 */
function planBar(plan, sent) {
  const kinds = KINDS.map((kind) => ({ ...kind, many: rowsOfKind(plan, kind.decision) })).filter(({ many }) => many);
  if (!kinds.length) return null;
  const all = kinds.reduce((sum, { many }) => sum + many, 0);
  /** @type {string | null} */
  let chosen = null;
  const parts = kinds.map(({ decision, counted, many }) => {
    const text = decision === "invite" && sent ? sent : `${exactNumber(many)} ${counted(many)}`;
    const part = button(text, () => choose(decision), {
      class: `part ${decision}`,
      "aria-pressed": "false",
      title: `${Math.round((many / all) * 100)} % of the rows; shows these alone`,
    });
    part.style.setProperty("flex-grow", String(many));
    return { decision, part };
  });
  /** @param {string} decision */
  const choose = (decision) => {
    chosen = chosen === decision ? null : decision;
    for (const one of parts) one.part.setAttribute("aria-pressed", String(one.decision === chosen));
    for (const { decision: kind } of kinds) {
      const rows = /** @type {HTMLDetailsElement | null} */ (document.getElementById(`rows-${kind}`));
      if (!rows) continue;
      rows.hidden = chosen !== null && kind !== chosen;
      if (kind === chosen) rows.open = true;
    }
  };
  return [
    h("p", { class: "faint", id: "bar-unit" }, "Rows of the plan; one person can have several."),
    h(
      "div",
      { class: "bar", role: "group", "aria-labelledby": "bar-unit" },
      parts.map(({ part }) => part),
    ),
  ];
}

/** What became of those to invite, and the states of their invitations.
 * @type {[(many: number) => string, string[]][]} */
const OUTCOMES = [
  [() => "invited", ["sent", "accepted", "expired"]],
  [() => "invited by somebody else", ["adopted"]],
  [() => "superseded", ["superseded"]],
  [() => "refused by m3ter", ["failed"]],
  [(many) => (many === 1 ? "needs a person" : "need a person"), ["review"]],
  [() => "without an answer yet", ["sending", "unknown"]],
];

/**
 * Say what became of those to invite: `20 invited, 2 refused by m3ter, 130 not sent`.
 * @param {RunDetails} run
 * @param {Plan} plan
 * @returns {string | null} null: nothing yet, since the run goes on, or nothing ever, since it planned only
 */
function sentText({ outcome, outcomes }, plan) {
  if (outcome === "running" || !plan.sendable || !plan.invitations) return null;
  const parts = OUTCOMES.map(([words, states]) => ({
    words,
    many: states.reduce((sum, state) => sum + (outcomes[state] ?? 0), 0),
  }));
  const left = plan.invitations - parts.reduce((sum, { many }) => sum + many, 0);
  return [...parts, { words: () => "not sent", many: left }]
    .filter(({ many }) => many > 0)
    .map(({ words, many }) => `${exactNumber(many)} ${words(many)}`)
    .join(", ");
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

/**
 * Return whether the plan is sent, and who decided that.
 * @param {Plan} plan
 * @returns {Child}
 */
function status(plan) {
  if (!plan.sendable) {
    const unasked = plan.no_approval_because && [
      " Sending it would need no approval: ",
      prose(plan.no_approval_because),
    ];
    return [h("strong", {}, "Nothing in it is sent: ", prose(plan.not_sendable_because)), unasked];
  }
  if (plan.rejected_at) {
    const by = plan.rejected_by ? ["rejected by ", quoted(plan.rejected_by)] : "nobody answered in time";
    return h("strong", {}, "It is never sent: ", by, ", ", instant(plan.rejected_at), ".");
  }
  if (!plan.invitations) return "It invites nobody, so nobody is asked to approve it.";
  if (!plan.needs_approval) {
    return prose(
      `It needs no approval: ${plan.no_approval_because ?? "the configuration's rules (`approval`) ask for none."}`,
    );
  }
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
    ["Decision", "Code", "Rows", ...(previous ? ["Change since the previous plan"] : [])],
    names.map((name) => [
      kindName(name),
      code(name),
      countButton(name, plan.counts[name]),
      ...(previous ? [difference((plan.counts[name] ?? 0) - (previous.counts[name] ?? 0))] : []),
    ]),
    { empty: "The query returned no rows." },
  );
}

/**
 * Return a count that opens its rows, which stand further up.
 * @param {string} name as `decision:reason`
 * @param {number | undefined} many
 */
function countButton(name, many) {
  if (!many) return exactNumber(many);
  return button(exactNumber(many), () => showReason(name), {
    "aria-label": `Show the rows of ${kindName(name)}: ${exactNumber(many)}`,
  });
}

/** @param {number} change */
function difference(change) {
  if (!change) return "none";
  return change > 0 ? `+${exactNumber(change)}` : exactNumber(change);
}
