/**
 * The runs of some days that may send, of all DAGs of a ledger: those that the overview sums up.
 *
 * @module
 */

import { announce, button, fill, h } from "./elements.js";
import { instant } from "./formats.js";
import { placeOf } from "./list_place.js";
import { ledgerProblem, nothingToRead, readOverview } from "./readable_dags.js";
import { get, RequestError } from "./requests.js";
import { runsTable } from "./runs_table.js";

/** @returns {Promise<import("./page.js").Screen>} */
export async function runsScreen() {
  const overview = await readOverview();
  const title = "Runs that may send";
  const place = placeOf();
  const [key, since] = [place.get("ledger"), place.get("since")];
  if (!since || Number.isNaN(Date.parse(since))) throw new RequestError(404, "There is no such screen.");
  const head = [h("p", { class: "way" }, h("a", { href: "#/" }, "Overview"), " / runs"), h("h1", {}, title)];
  const ledger = overview.ledgers.find((one) => one.key === key);
  if (!ledger || ledger.problem !== null) {
    return { title, content: [head, ledger ? ledgerProblem(ledger) : nothingToRead([])] };
  }
  const list = h("div", {});
  await loadRuns(list, { ledger: ledger.key, since });
  const text = h("p", {}, "Runs of ", ledger.name, " since ", instant(since), ", with the rows that each plan read.");
  return { title, content: [head, text, list] };
}

/**
 * @param {HTMLElement} list
 * @param {{ ledger: string, since: string, before?: string }} wanted
 */
async function loadRuns(list, wanted) {
  const page = await get("runs/sending", wanted);
  const oldest = page.rows.at(-1);
  const older =
    page.more && oldest && button("Older runs", () => loadRuns(list, { ...wanted, before: oldest.started_at }));
  fill(list, runsTable(page.rows), older && h("div", { class: "actions" }, older));
  announce("Runs shown.");
}
