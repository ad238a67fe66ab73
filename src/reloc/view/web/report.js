// Sorts the table of frames by the column whose heading is clicked; again to turn it around.
for (const table of document.querySelectorAll("table.sortable")) {
  const headings = [...table.tHead.rows[0].cells];
  const body = table.tBodies[0];
  headings.forEach((heading, column) => {
    heading.querySelector("button").addEventListener("click", () => {
      const turn = heading.getAttribute("aria-sort") === "ascending" ? -1 : 1;
      const key = (row) => row.cells[column].dataset.sort;
      const compare = heading.classList.contains("text")
        ? (a, b) => key(a).localeCompare(key(b), undefined, { numeric: true })
        : (a, b) => (Number(key(a)) > Number(key(b))) - (Number(key(a)) < Number(key(b)));
      headings.forEach((other) => other.removeAttribute("aria-sort"));
      heading.setAttribute("aria-sort", turn === 1 ? "ascending" : "descending");
      body.append(...[...body.rows].sort((a, b) => turn * compare(a, b)));
    });
  });
}
