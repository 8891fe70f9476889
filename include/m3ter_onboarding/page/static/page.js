// Which screen is shown: what stands behind the # of the address. It never holds a name or an address of a person.

import { h, problem, say } from "./dom.js";
import { Refused, firstHash, tellAddress } from "./airflow.js";
import { overview } from "./overview.js";
import { invitations } from "./invitations.js";
import { review } from "./review.js";
import { dag, run } from "./runs.js";
import { personOfInvitation, personOfRow } from "./story.js";
import { known } from "./known.js";

const SCREENS = [
  [/^#\/?$/, overview],
  [/^#\/invitations(?:\/([a-z]+))?$/, invitations],
  [/^#\/review$/, review],
  [/^#\/dag\/([^/]+)$/, dag],
  [/^#\/run\/([^/]+)\/([^/]+)$/, run],
  [/^#\/person\/([^/]+)\/([^/]+)$/, personOfInvitation],
  [/^#\/row\/([^/]+)\/([^/]+)\/([^/]+)$/, personOfRow],
];

const main = document.getElementById("main");
let shown = 0;

function mark(hash) {
  for (const link of document.querySelectorAll("header nav a")) {
    const at = link.getAttribute("href");
    const here = at === "#/" ? hash === "#/" || hash === "" : hash.startsWith(at);
    if (here) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

async function show({ first = false } = {}) {
  const mine = ++shown;
  const hash = location.hash || "#/";
  mark(hash);
  tellAddress(hash);
  main.setAttribute("aria-busy", "true");
  let content;
  let title = "m3ter onboarding";
  try {
    const [pattern, screen] = SCREENS.find(([one]) => one.test(hash)) ?? [null, null];
    if (!screen) throw new Refused(404, "There is no such screen.");
    const parts = hash.match(pattern).slice(1).map((text) => (text === undefined ? text : decodeURIComponent(text)));
    await known();
    ({ title, content } = await screen(...parts));
  } catch (error) {
    if (!(error instanceof Refused)) console.error(error);
    content = [
      h("h1", {}, "This cannot be shown"),
      problem(error instanceof Refused ? error.message : "Something went wrong in this page. Reload it."),
    ];
  }
  if (mine !== shown) return;
  main.replaceChildren(...content.flat(2).filter(Boolean));
  main.removeAttribute("aria-busy");
  document.title = title === "m3ter onboarding" ? title : `${title} · m3ter onboarding`;
  if (!first) {
    main.focus({ preventScroll: true });
    window.scrollTo(0, 0);
  }
  say(title);
}

document.querySelector("a.skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
window.addEventListener("hashchange", () => show());
window.addEventListener("m3ter:reload", () => show());
const begin = firstHash();
if (begin && begin !== location.hash) history.replaceState(null, "", begin);
show({ first: true });
