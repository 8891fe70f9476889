/**
 * Decisions about several questions of the worklist at once: those that are ticked, or all that match.
 *
 * @module
 */

import { ask } from "./dialog.js";
import { button, h, messageOf, problem, reload } from "./elements.js";
import { counted, exactNumber } from "./formats.js";
import { questionName } from "./glossary.js";
import { readOverview } from "./readable_dags.js";
import { post } from "./requests.js";
import { toast } from "./toasts.js";

/** @typedef {import("../api_types").OpenQuestion} OpenQuestion */
/** @typedef {import("../api_types").QuestionsBody} QuestionsBody */
/** @typedef {import("../api_types").QuestionSelection} QuestionSelection */
/** @typedef {import("../api_types").QuestionsDecisionBody["action"]} Action */

/**
 * @typedef {object} Decision
 * @property {string} label
 * @property {(many: string) => string} act what the button does that agrees
 * @property {string} done
 * @property {string} consequence
 * @property {{ field?: string, date?: string }} asks
 */
const NAMED = "Your name is recorded in each.";
const NOTE = "Note, the same for each (kept in the ledger)";
/** @type {Record<Action, Decision>} */
const DECISIONS = {
  close: {
    label: "Close",
    act: (many) => `Close ${many}`,
    done: "closed",
    consequence:
      "They leave the list, and runs no longer read their rows for them. Each is asked again only when its row's " +
      `address, start date or reason changes. Nothing is sent. ${NAMED}`,
    asks: { field: NOTE },
  },
  snooze: {
    label: "Put off",
    act: (many) => `Put off ${many}`,
    done: "put off",
    consequence: `Until that day they are listed under "put off". Runs go on reading their rows. ${NAMED}`,
    asks: { date: "Until (UTC)" },
  },
  note: {
    label: "Note",
    act: (many) => `Set the note of ${many}`,
    done: "noted",
    consequence:
      "The note, with your name, replaces those that they have; an empty one removes them, and keeps no name. They " +
      "stay in the list.",
    asks: { field: NOTE },
  },
  reopen: {
    label: "Open again",
    act: (many) => `Open ${many} again`,
    done: "opened again",
    consequence: `The next run reads their rows again. ${NAMED}`,
    asks: {},
  },
};

/** What became of the last decision: shown with the list that is made anew. */
let outcome = "";

/** Return what became of the last decision, once. */
export function outcomeText() {
  const text = outcome;
  outcome = "";
  return text ? h("p", { class: "note" }, text) : null;
}

/**
 * Return the buttons, and how a row is ticked.
 * @param {QuestionsBody} body the list
 * @param {import("../api_types").QuestionPage} page
 * @param {readonly OpenQuestion[]} mine those of the page that this person may decide about
 */
export function severalQuestions(body, page, mine) {
  /** @type {HTMLInputElement[]} */
  const boxes = [];
  const many = `${exactNumber(page.total)}${page.more ? "+" : ""}`;
  const allThatMatch = many === "1" ? "The one that matches" : `All ${many} that match`;
  const elsewhere = page.before === null && page.after === null ? "" : ", on other pages too";
  const said = h("span", { class: "faint" });
  const everything = checkbox(() => update());
  const wholePage = checkbox((on) => {
    for (const one of boxes) one.checked = on;
    update();
  });
  const ticked = () => {
    const ids = boxes.filter((one) => one.checked).map((one) => Number(one.value));
    return mine.filter((one) => ids.includes(one.item_id));
  };
  /** @type {Action[]} */
  const actions = body.shown === "closed" ? ["reopen", "note"] : ["close", "snooze", "note"];
  /** @type {HTMLButtonElement[]} */
  const buttons = actions.map((action) =>
    button(`${DECISIONS[action].label} …`, () => decide(bar, body, action, everything.checked ? null : ticked())),
  );
  const update = () => {
    const chosen = ticked().length;
    said.textContent = everything.checked ? allThatMatch : `${exactNumber(chosen)} ticked`;
    for (const one of buttons) allow(one, everything.checked || chosen > 0);
  };
  /** @type {HTMLElement} */
  const bar = h(
    "div",
    { class: "actions several", role: "group", "aria-label": "Decide about several questions" },
    h("label", { class: "choice" }, wholePage, " All of this page"),
    h("label", { class: "choice" }, everything, ` ${allThatMatch}${elsewhere}`),
    said,
    buttons,
  );
  update();
  /** @param {OpenQuestion} question */
  const box = (question) => {
    if (!mine.includes(question)) return "";
    const input = checkbox(() => update());
    input.setAttribute("aria-label", `Tick ${nameOf(question)}`);
    input.value = String(question.item_id);
    boxes.push(input);
    return input;
  };
  return { bar: mine.length ? bar : null, box };
}

/**
 * @param {(on: boolean) => unknown} change
 * @returns {HTMLInputElement}
 */
function checkbox(change) {
  /** @type {HTMLInputElement} */
  const input = h("input", { type: "checkbox", onchange: () => change(input.checked) });
  return input;
}

/**
 * Let a button be pressed, or not. It can have the focus in any case: after a decision nothing is ticked, and the
 * focus stays there.
 * @param {HTMLButtonElement} one
 * @param {boolean} allowed
 */
function allow(one, allowed) {
  if (allowed) one.removeAttribute("aria-disabled");
  else one.setAttribute("aria-disabled", "true");
}

/** @param {OpenQuestion} question */
function nameOf({ email, employee_id }) {
  return email ?? employee_id ?? "a row that names nobody";
}

/**
 * Look which questions it would be about, ask, and write.
 * @param {HTMLElement} bar
 * @param {QuestionsBody} body the list
 * @param {Action} action
 * @param {OpenQuestion[] | null} ticked as the page shows them; null: all that match
 */
async function decide(bar, body, action, ticked) {
  try {
    const ids = ticked?.map((one) => one.item_id) ?? null;
    const chosen = await post("worklist/preview", { ...body, after: 0, before: null, ids });
    if (!chosen.questions.length) {
      outcome = ticked
        ? `Nothing was written: these had changed meanwhile: ${ticked.map(nameOf).join(", ")}.`
        : "None of these questions is yours to decide, or none is left.";
      return reload();
    }
    const { act, asks } = DECISIONS[action];
    const many = chosen.questions.length;
    const yes = act(many === 1 ? "one question" : counted(many, "question"));
    const gone = (ticked ?? []).filter((one) => !chosen.questions.some(({ item_id }) => item_id === one.item_id));
    const answer = await ask({ title: `${yes}?`, text: previewText(action, chosen, gone), yes, ...asks });
    if (answer === null) return;
    const more = asks.date ? { until: `${answer}T00:00:00Z` } : { note: answer || (action === "note" ? "" : null) };
    const { ledger } = body;
    // Of those that are ticked, each as the page showed it: what has changed since is not decided, but named.
    const questions = ticked ? ticked.map(({ item_id, since }) => ({ item_id, since })) : chosen.questions;
    const written = await post("worklist/decide", { ledger, action, questions, ...more });
    outcome = writtenText(action, written, chosen.total - chosen.questions.length);
    toast(outcome);
    await readOverview({ again: true });
    reload();
  } catch (error) {
    bar.after(problem(messageOf(error)));
  }
}

/**
 * @param {Action} action
 * @param {QuestionSelection} chosen
 * @param {readonly OpenQuestion[]} gone those that were ticked, and have left the list since
 */
function previewText(action, { kinds, names, questions, total, not_yours }, gone) {
  const left = total - questions.length;
  return [
    Object.entries(kinds)
      .map(([kind, many]) => `${questionName(kind)}: ${exactNumber(many)}`)
      .join("; "),
    `The first: ${names.join(", ")}${total > names.length ? ", …" : ""}`,
    left > 0 ? `Not more than ${questions.length} at a time, the oldest first: ${remaining(left)}.` : "",
    gone.length
      ? `These have changed since the page was loaded, and stay as they are: ${gone.map(nameOf).join(", ")}.`
      : "",
    not_yours ? `Of DAGs that you may not edit: ${exactNumber(not_yours)} more, which ${staying(not_yours)}.` : "",
    DECISIONS[action].consequence,
    "Those that change meanwhile stay as they are.",
  ].filter(Boolean);
}

/** @param {number} many */
function remaining(many) {
  return `${exactNumber(many)} ${many === 1 ? "remains" : "remain"}`;
}

/** @param {number} many */
function staying(many) {
  return many === 1 ? "stays as it is" : "stay as they are";
}

/**
 * @param {Action} action
 * @param {import("../api_types").QuestionsDecided} written
 * @param {number} left how many match, and were too many for once
 */
function writtenText(action, { done, changed, changed_names, not_yours }, left) {
  const others = changed > changed_names.length ? ", …" : "";
  return [
    `${exactNumber(done)} ${DECISIONS[action].done}.`,
    changed &&
      `${exactNumber(changed)} had changed meanwhile and ${staying(changed)}: ${changed_names.join(", ")}${others}.`,
    not_yours &&
      `${exactNumber(not_yours)} ${not_yours === 1 ? "is" : "are"} not yours to decide, and ${staying(not_yours)}.`,
    left > 0 && `${remaining(left)}: decide once more.`,
  ]
    .filter(Boolean)
    .join(" ");
}
