"use strict";
(() => {
  const collator = new Intl.Collator("en", { numeric: true });
  function raw(cell) {
    if (!cell || cell.dataset.sort === undefined) return null;
    const value = Number(cell.dataset.sort.replace("inf", "Infinity"));
    return Number.isNaN(value) ? null : value;
  }

  const text = (cell) => (cell ? cell.textContent.trim() : "");

  // Numbers by their value, then words; cells without either stay last in both directions.
  function compare(a, b, sign) {
    const x = raw(a), y = raw(b);
    if (x !== null && y !== null) return x === y ? 0 : sign * (x - y);
    if (x !== null || y !== null) return x !== null ? -1 : 1;
    const s = text(a), t = text(b);
    if (!s || !t) return s ? -1 : t ? 1 : 0;
    return sign * collator.compare(s, t);
  }

  function sortBy(table, index, heading) {
    const descending = heading.getAttribute("aria-sort") === "ascending";
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", descending ? "descending" : "ascending");
    const body = table.tBodies[0];
    const rows = Array.from(body.rows);
    rows.sort((a, b) => compare(a.cells[index], b.cells[index], descending ? -1 : 1));
    body.append(...rows);
  }

  function makeSortable(table) {
    Array.from(table.tHead.rows[0].cells).forEach((heading, index) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...heading.childNodes);
      button.addEventListener("click", () => sortBy(table, index, heading));
      heading.append(button);
    });
  }

  function makeFilterable(table) {
    const rows = Array.from(table.tBodies[0].rows);
    const box = document.createElement("div");
    const label = document.createElement("label");
    const input = document.createElement("input");
    const count = document.createElement("span");
    box.className = "filter";
    input.type = "search";
    count.setAttribute("role", "status");
    label.append("Rows that contain ", input);
    box.append(label, count);
    input.addEventListener("input", () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      for (const row of rows) {
        const content = row.textContent.toLowerCase();
        row.hidden = !words.every((word) => content.includes(word));
        if (!row.hidden) shown += 1;
      }
      count.textContent = words.length ? `${shown} of ${rows.length} rows` : "";
    });
    table.parentElement.before(box);
  }

  for (const table of document.querySelectorAll("table.data")) {
    if (table.tBodies[0].rows.length < 2) continue;
    makeSortable(table);
    makeFilterable(table);
  }
})();
