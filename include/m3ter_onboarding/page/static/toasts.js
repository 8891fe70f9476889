/**
 * Short confirmations: visible, said by screen readers, and gone after a while, by a click, or by Escape.
 *
 * @module
 */

import { button, byId, h } from "./elements.js";
import { catchFocus } from "./kept_focus.js";

/** How long one stays, in milliseconds, and how long its link stays on, small; not while it is pointed at. */
const STAYS = 12_000;
const LINK_STAYS = 48_000;
const MOST = 3;
/** Where they may be, the best place first: classes of page.css. */
const PLACES = ["", "left", "top", "top left"];
const PRESSED = "a[href], button, input, select, textarea, summary";

/**
 * Show a confirmation. What it says stays true: it tells what was done, and when, not what goes on.
 * @param {import("./elements.js").Child} text
 * @param {import("./elements.js").Child} [link] where to go on from here
 */
export function toast(text, link) {
  const place = byId("toasts");
  const box = h("div", { class: "toast" }, h("div", {}, h("span", {}, text), link && [" ", link]));
  box.append(button("Dismiss", () => dismiss(box), { class: "plain" }));
  /** @type {number | undefined} */
  let timer;
  const shrink = () => {
    box.classList.add("small");
    timer = setTimeout(() => box.remove(), LINK_STAYS);
    makeWay();
  };
  const wait = () => {
    clearTimeout(timer);
    timer = setTimeout(() => (link ? shrink() : box.remove()), STAYS);
  };
  for (const kind of ["mouseenter", "focusin"]) box.addEventListener(kind, () => clearTimeout(timer));
  for (const kind of ["mouseleave", "focusout"]) box.addEventListener(kind, wait);
  place.append(box);
  while (place.childElementCount > MOST) place.firstElementChild?.remove();
  wait();
  makeWay();
}

/** @param {Element} box */
function dismiss(box) {
  box.remove();
  catchFocus();
}

/** Go where nothing that can be pressed is covered; not while somebody is about to press what is here. */
function makeWay() {
  const place = byId("toasts");
  if (!place.childElementCount || place.matches(":hover, :focus-within")) return;
  const others = [...document.querySelectorAll(PRESSED)].filter((one) => !place.contains(one));
  const free = PLACES.find((name) => {
    place.className = name;
    const box = place.getBoundingClientRect();
    return !others.some((one) => overlap(box, one.getBoundingClientRect()));
  });
  place.className = free ?? "";
}

/**
 * @param {DOMRect} one
 * @param {DOMRect} other
 */
function overlap(one, other) {
  if (!other.width || !other.height) return false;
  return one.left < other.right && other.left < one.right && one.top < other.bottom && other.top < one.bottom;
}

document.addEventListener("keydown", ({ key }) => {
  if (key !== "Escape" || document.querySelector("dialog[open]")) return;
  for (const box of document.querySelectorAll(".toast")) dismiss(box);
});
for (const kind of ["scrollend", "resize"]) window.addEventListener(kind, makeWay);
new MutationObserver(makeWay).observe(byId("main"), { childList: true, subtree: true });
