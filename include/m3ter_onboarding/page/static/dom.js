// Elements, always of text: nothing that people wrote is ever read as HTML.

const SVG = "http://www.w3.org/2000/svg";
// Marks that turn the direction of what follows, and characters that cannot be seen.
const HIDDEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/gu;

export function visible(text) {
  return String(text).replace(HIDDEN, (one) => `[U+${one.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}]`);
}

function fill(element, properties, children) {
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children.flat(3)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : document.createTextNode(visible(child)));
  }
  return element;
}

export function h(tag, properties, ...children) {
  return fill(document.createElement(tag), properties, children);
}

export function svg(tag, properties, ...children) {
  return fill(document.createElementNS(SVG, tag), properties, children);
}

// What a person or the warehouse wrote: its direction stays its own.
export function quoted(text) {
  return text === null || text === undefined || text === "" ? h("span", { class: "faint" }, "–") : h("bdi", {}, text);
}

// What this product wrote, in which names stand between backticks.
export function prose(text) {
  return String(text ?? "").split("`").map((part, place) => (place % 2 ? h("code", {}, part) : part));
}

export function say(text) {
  document.getElementById("live").textContent = visible(text);
}

export function table(caption, heads, rows, { empty = "Nothing here.", unseen = false } = {}) {
  if (!rows.length) return h("p", { class: "empty" }, empty);
  const lines = rows.map((cells) => (cells instanceof Node ? cells : h("tr", {}, cells.map((cell) => h("td", {}, cell)))));
  // On a narrow screen each row is a card, and each cell names itself; the roles keep it a table for screen readers.
  for (const line of lines) {
    line.setAttribute("role", "row");
    [...line.children].forEach((cell, place) => {
      cell.setAttribute("role", "cell");
      cell.dataset.label = heads[place];
    });
  }
  return h(
    "div",
    { class: "scroll", role: "region", "aria-label": caption, tabindex: "0" },
    h(
      "table",
      { role: "table" },
      h("caption", { class: unseen ? "unseen" : null }, caption),
      h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, heads.map((head) => h("th", { scope: "col", role: "columnheader" }, head || h("span", { class: "unseen" }, "Kind"))))),
      h("tbody", { role: "rowgroup" }, lines),
    ),
  );
}

export function badge(kind, text) {
  return h("span", { class: `badge ${kind}` }, text);
}

export function problem(text) {
  return h("div", { class: "problem", role: "alert" }, text);
}

export function button(text, action, properties = {}) {
  return h("button", { type: "button", onclick: action, ...properties }, text);
}

// Asks before something is done; resolves to what was written, or null.
export function ask({ title, text, yes, field = null }) {
  return new Promise((resolve) => {
    const input = field ? h("textarea", { id: "ask-field", rows: "3", maxlength: "300" }) : null;
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
      const answer = dialog.returnValue === "yes" ? (input ? input.value : "") : null;
      dialog.remove();
      resolve(answer);
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}
