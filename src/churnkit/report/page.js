// The call list: search, filters, order, pages and export. Without this script the page holds the
// whole list in the order of its ranks; nothing here is data, and nothing is asked of a network.
(() => {
  "use strict";
  const root = document.documentElement;
  root.classList.add("js");

  const PRINTED = 100;
  const FORMULA = /^[=+\-@\t\r\n＝＋－＠]/;
  const digit = (d) => String("۰۱۲۳۴۵۶۷۸۹".indexOf(d) >= 0 ? "۰۱۲۳۴۵۶۷۸۹".indexOf(d) : "٠١٢٣٤٥٦٧٨٩".indexOf(d));
  const fold = (text) => text.normalize("NFKC").toLowerCase().replace(/[۰-۹٠-٩]/g, digit)
    .replace(/ي/g, "ی").replace(/ك/g, "ک").replace(/\s+/g, " ");
  const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name]);

  function enhance(list) {
    const $ = (role) => list.querySelector(`[data-role="${role}"]`);
    const table = list.querySelector("table");
    const body = table.tBodies[0];
    const heads = [...table.tHead.rows[0].cells];
    const rows = [...body.rows];
    const texts = new Map();
    const filters = [...list.querySelectorAll("select[data-filter]")];
    const search = $("search");
    const size = $("size");
    const order = $("order");
    const collator = new Intl.Collator(root.lang, { numeric: true });
    // "1,234,567,890" as the language writes it gives its digits and the sign between them.
    const written = [...list.dataset.digits.replace(/[\u200e\u200f\u061c]/g, "")];
    const digits = [12, 0, 2, 3, 4, 6, 7, 8, 10, 11].map((k) => written[k]);
    const number = (n) => String(n).replace(/\B(?=(\d{3})+$)/g, ",")
      .replace(/[\d,]/g, (c) => (c === "," ? written[1] : digits[+c]));
    let page = 0;
    let matched = rows;

    const textOf = (row) => {
      if (!texts.has(row)) texts.set(row, fold(row.textContent));
      return texts.get(row);
    };
    const valueOf = (row, column) => {
      const cell = row.cells[column];
      if (heads[column].dataset.code) return row.dataset.f.split(" ")[+heads[column].dataset.code];
      return "v" in cell.dataset ? cell.dataset.v : cell.textContent.trim();
    };

    function match() {
      const sought = fold(search.value).trim().split(" ").filter(Boolean);
      const asked = filters.filter((f) => f.value !== "").map((f) => [+f.dataset.filter, f.value]);
      matched = rows.filter((row) => {
        const codes = row.dataset.f.split(" ");
        return asked.every(([place, value]) => codes[place] === value)
          && sought.every((word) => textOf(row).includes(word));
      });
      const kept = new Set(matched);
      rows.forEach((row) => { row.hidden = !kept.has(row); });
      page = 0;
      show();
    }

    function show() {
      const n = +size.value;
      const pages = Math.max(1, Math.ceil(matched.length / n));
      page = Math.min(Math.max(page, 0), pages - 1);
      const first = page * n;
      rows.forEach((row) => row.classList.add("off"));
      rows.forEach((row) => row.classList.remove("late"));
      matched.slice(PRINTED).forEach((row) => row.classList.add("late"));
      matched.slice(first, first + n).forEach((row) => row.classList.remove("off"));
      list.classList.add("ready");
      const told = {
        first: number(first + 1), last: number(Math.min(first + n, matched.length)),
        n: number(matched.length), all: number(rows.length),
      };
      const says = $("count").dataset;
      $("count").textContent = !matched.length ? says.none
        : fill(matched.length < rows.length ? says.some : says.all, told);
      $("place").textContent = fill($("place").dataset.says,
        { page: number(page + 1), pages: number(pages) });
      $("back").disabled = page === 0;
      $("next").disabled = page === pages - 1;
      const named = (control) => control.labels[0].firstElementChild.textContent.trim();
      const chosen = filters.filter((f) => f.value !== "")
        .map((f) => `${named(f)}: ${f.selectedOptions[0].textContent.trim()}`);
      if (search.value.trim()) chosen.push(`${named(search)}: ${search.value.trim()}`);
      $("clear").disabled = !chosen.length;
      $("printed").textContent = [$("count").dataset.none === $("count").textContent
        ? $("count").textContent : fill($("printed").dataset.says, { ...told, n: number(Math.min(PRINTED, matched.length)) }),
        ...chosen].join(" · ");
    }

    function sort(column, ways) {
      const sign = ways === "descending" ? -1 : 1;
      const isNumber = heads[column].dataset.sort === "number";
      const keyed = rows.map((row, k) => {
        const told = valueOf(row, column);
        return { row, k, key: isNumber && told !== "" ? +told : told };
      });
      keyed.sort((a, b) => {
        if (a.key === "" || b.key === "") return (a.key === "") - (b.key === "") || a.k - b.k;
        const by = isNumber ? a.key - b.key : collator.compare(a.key, b.key);
        return sign * by || a.k - b.k;
      });
      rows.splice(0, rows.length, ...keyed.map((one) => one.row));
      body.append(...rows);
      heads.forEach((head, k) => {
        if (head.dataset.sort) head.setAttribute("aria-sort", k === column ? ways : "none");
      });
      order.value = String(column);
      match();
    }

    heads.forEach((head, column) => {
      if (!head.dataset.sort) return;
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      order.add(new Option(button.textContent, String(column)));
      button.addEventListener("click", () => {
        const now = head.getAttribute("aria-sort");
        const first = head.dataset.first || "ascending";
        const other = first === "ascending" ? "descending" : "ascending";
        sort(column, now === first ? other : first);
      });
    });
    order.value = String(heads.findIndex((head) => head.getAttribute("aria-sort") === "ascending"));

    function cells(row) {
      return heads.flatMap((head, column) => {
        const cell = row.cells[column];
        const items = [...cell.querySelectorAll("li, .changed")];
        if (head.dataset.cells) {
          return head.dataset.cells.split("|").map((tag) => cell.querySelector(tag)?.textContent.trim() ?? "");
        }
        if ("v" in cell.dataset) {
          return [head.dataset.sort === "number" ? { number: cell.dataset.v } : cell.dataset.v];
        }
        return [items.length ? items.map((item) => item.textContent.trim()).join("; ")
          : cell.textContent.trim().replace(/^[■▲●]\s*/, "")];
      });
    }

    function csv() {
      const quoted = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
      const safe = (cell) => (typeof cell === "object" ? cell.number
        : quoted(FORMULA.test(cell) ? `'${cell}` : cell));
      const names = heads.flatMap((head) => (head.dataset.parts || head.textContent.trim()).split("|"));
      const kept = new Set(matched);
      const lines = [names, ...rows.filter((row) => kept.has(row)).map(cells)];
      return `\ufeff${lines.map((line) => line.map(safe).join(",")).join("\r\n")}\r\n`;
    }

    $("export").addEventListener("click", () => {
      const link = document.createElement("a");
      link.href = URL.createObjectURL(new Blob([csv()], { type: "text/csv;charset=utf-8" }));
      link.download = $("export").dataset.file;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 1000);
    });
    let waits = 0;
    search.addEventListener("input", () => { clearTimeout(waits); waits = setTimeout(match, 120); });
    filters.forEach((filter) => filter.addEventListener("change", match));
    size.addEventListener("change", () => { page = 0; show(); });
    order.addEventListener("change", () => sort(+order.value, heads[+order.value].dataset.first || "ascending"));
    $("back").addEventListener("click", () => { page -= 1; show(); });
    $("next").addEventListener("click", () => { page += 1; show(); });
    $("clear").addEventListener("click", () => {
      filters.forEach((filter) => { filter.value = ""; });
      search.value = "";
      match();
      search.focus();
    });
    match();
  }

  document.addEventListener("DOMContentLoaded", () => {
    document.querySelectorAll("[data-list]").forEach(enhance);
  });
})();
