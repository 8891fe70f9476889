/**
 * A question before something is done.
 *
 * @module
 */

import { button, h } from "./elements.js";

/**
 * @typedef {object} Question
 * @property {string} title
 * @property {string[]} text one paragraph each
 * @property {string} yes the button that agrees
 * @property {string} [field] the label of a text that the person may write
 */

/**
 * Ask; resolve to the text that the person wrote (empty where nothing), or to null when they cancelled.
 * @param {Question} question
 * @returns {Promise<string | null>}
 */
export function ask({ title, text, yes, field }) {
  return new Promise((resolve) => {
    const input = field ? h("textarea", { id: "ask-field", rows: "3", maxlength: "300" }) : null;
    /** @type {HTMLDialogElement} */
    const dialog = h(
      "dialog",
      { "aria-labelledby": "ask-title" },
      h("h2", { id: "ask-title" }, title),
      text.map((line) => h("p", {}, line)),
      field && [h("label", { for: "ask-field" }, field), input],
      h(
        "div",
        { class: "actions" },
        button("Cancel", () => dialog.close("")),
        button(yes, () => dialog.close("yes"), { class: "primary" }),
      ),
    );
    dialog.addEventListener("close", () => {
      const answer = input?.value ?? "";
      dialog.remove();
      resolve(dialog.returnValue === "yes" ? answer : null);
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}
