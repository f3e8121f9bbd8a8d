"use strict";
(() => {
  const root = document.documentElement;
  const all = (query, within) => Array.from((within || document).querySelectorAll(query));

  // --- light and dark: the system's choice, until the reader makes one; it is kept where the browser lets a file keep things
  const keep = (value) => { try { localStorage.setItem("kdbench-theme", value); } catch (_) { /* private window */ } };
  const kept = () => { try { return localStorage.getItem("kdbench-theme"); } catch (_) { return null; } };
  const asked = { "#dark": "dark", "#light": "light" }[location.hash] || kept();
  if (asked === "dark" || asked === "light") root.dataset.theme = asked;
  const isDark = () => (root.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";

  // --- charts: drawn one after the other, those in view first; colours follow the page through currentColor
  const font = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif";
  const config = {
    background: null, font, view: { stroke: null },
    axis: { labelColor: "currentColor", titleColor: "currentColor", gridColor: "currentColor", domainColor: "currentColor", tickColor: "currentColor",
      gridOpacity: 0.13, domainOpacity: 0.4, tickOpacity: 0.4, labelFontSize: 11.5, titleFontSize: 12, titleFontWeight: 500, titlePadding: 10,
      labelLimit: 190, labelPadding: 5, labelSeparation: 6 },
    axisY: { domain: false, ticks: false }, axisX: { tickSize: 4 },
    legend: { labelColor: "currentColor", titleColor: "currentColor", labelFontSize: 12, rowPadding: 4, symbolOpacity: 1 },
    header: { labelColor: "currentColor", titleColor: "currentColor", labelFontSize: 12, labelFontWeight: 600, labelPadding: 6, labelAnchor: "start" },
    text: { fill: "currentColor", color: "currentColor" }, tick: { color: "currentColor" }, title: { color: "currentColor" },
  };
  const views = new Map();
  function fitted(spec, width) {
    const cell = spec.usermeta && spec.usermeta.cell;
    const narrow = width < 620, side = narrow ? 0 : 150;
    if (cell && spec.spec) {
      const legend = JSON.stringify(spec.spec).includes('"bind":"legend"') ? side : 0;
      const panels = new Set((spec.data.values || []).map((row) => row[spec.facet.field])).size;
      const room = width - legend, columns = Math.max(1, Math.min(spec.columns || 4, panels, Math.floor(room / (cell + 60))));
      spec.columns = columns;
      spec.spec.width = Math.min(430, Math.max(120, Math.floor((room - 84 - (spec.spacing || 20) * (columns - 1)) / columns)));
    }
    const below = narrow ? { legend: { ...config.legend, orient: "bottom", columns: Math.max(2, Math.floor(width / 130)) }, axis: { ...config.axis, labelLimit: 110 } } : {};
    return [spec, { ...config, ...below }];
  }
  async function draw(box) {
    const width = box.clientWidth;
    const held = views.get(box);
    if (held && (held.width === width || !held.cells)) return;
    const source = box.parentElement.querySelector("script[type='application/json']");
    try {
      const [spec, setting] = fitted(JSON.parse(source.textContent), width);
      views.set(box, { width, cells: Boolean(spec.usermeta) });
      if (held && held.end) held.end();
      const made = await window.vegaEmbed(box, spec, { actions: false, ast: true, renderer: "svg", mode: "vega-lite", config: setting,
        defaultStyle: false, tooltip: { disableDefaultStyle: true } });
      views.get(box).end = made.finalize;
      box.dataset.drawn = "yes";
    } catch (error) {
      box.textContent = "This chart could not be drawn; its numbers are below.";
      console.error(error);
    }
  }
  let round = 0;
  async function drawAll() {
    const mine = ++round;
    const boxes = all(".chart").filter((box) => box.clientWidth > 0);
    const away = (box) => Math.max(0, box.getBoundingClientRect().top - innerHeight, -box.getBoundingClientRect().bottom);
    for (const box of boxes.sort((a, b) => away(a) - away(b))) {
      if (mine !== round) return;
      await draw(box);
      await new Promise((done) => setTimeout(done));
    }
    root.dataset.ready = "yes";
  }

  // --- which task and target is seen
  function pick() {
    const chosen = Object.fromEntries(all("[data-pick]").map((select) => [select.dataset.pick, select.value]));
    for (const panel of all(".panel")) {
      const hit = (kind) => !chosen[kind] || panel.dataset[kind] === "" || panel.dataset[kind] === chosen[kind];
      panel.hidden = !(hit("task") && hit("target"));
    }
    drawAll();
  }

  // --- tables: sort, filter, choose columns
  function sort(button) {
    const head = button.closest("th"), table = button.closest("table"), body = table.tBodies[0];
    const down = head.getAttribute("aria-sort") === "ascending" || (head.getAttribute("aria-sort") === "none" && head.classList.contains("n"));
    const way = head.getAttribute("aria-sort") === "descending" ? 1 : down ? -1 : 1;
    const column = head.cellIndex;
    all("th[aria-sort]", table.tHead).forEach((other) => other.setAttribute("aria-sort", "none"));
    head.setAttribute("aria-sort", way === 1 ? "ascending" : "descending");
    const value = (row) => {
      const cell = row.cells[column];
      if (cell.dataset.v !== undefined) return Number.isNaN(Number(cell.dataset.v)) ? cell.dataset.v : Number(cell.dataset.v);
      return head.classList.contains("n") ? null : cell.textContent.trim();
    };
    const order = (a, b) => {
      if (a.pinned !== b.pinned) return a.pinned ? -1 : 1;
      if ((a.value === null) !== (b.value === null)) return a.value === null ? 1 : -1; // what has no number stays last
      if (typeof a.value === "number" && typeof b.value === "number") return way * (a.value - b.value);
      return way * String(a.value).localeCompare(String(b.value), "en", { numeric: true });
    };
    const rows = Array.from(body.rows, (row) => ({ row, pinned: row.classList.contains("pinned"), value: value(row) }));
    rows.sort(order).forEach(({ row }) => body.append(row));
  }
  function find(input) {
    const grid = input.closest(".grid"), text = input.value.trim().toLowerCase(), words = text.split(/\s+/);
    let seen = 0;
    for (const row of grid.querySelector("tbody").rows) {
      const name = row.cells[0].textContent.toLowerCase();
      row.hidden = text !== "" && !row.classList.contains("pinned") && !words.every((word) => name.includes(word));
      seen += row.hidden ? 0 : 1;
    }
    grid.querySelector("[data-found]").textContent = text === "" ? "" : seen + " rows";
  }
  function columns(box) {
    const grid = box.closest(".grid");
    if (box.dataset.group) all("[data-g='" + box.dataset.group + "']", grid).forEach((cell) => { cell.hidden = !box.checked; });
    else grid.querySelector("table").classList.toggle("brief", !box.checked);
  }

  // --- reasons: a hover or a Tab away
  let tip;
  function say(target) {
    if (!target) { tip.hidden = true; return; }
    tip.textContent = target.dataset.tip;
    tip.hidden = false;
    const at = target.getBoundingClientRect(), own = tip.getBoundingClientRect();
    tip.style.left = Math.max(8, Math.min(at.left + at.width / 2 - own.width / 2, innerWidth - own.width - 8)) + "px";
    tip.style.top = (at.top - own.height - 8 > 0 ? at.top - own.height - 8 : at.bottom + 8) + "px";
  }

  document.addEventListener("DOMContentLoaded", () => {
    tip = document.getElementById("tip");
    const tipped = (event) => (event.target.closest ? event.target.closest("[data-tip]") : null);
    ["mouseover", "focusin"].forEach((name) => document.addEventListener(name, (event) => say(tipped(event))));
    document.addEventListener("scroll", () => say(null), true);
    document.addEventListener("keydown", (event) => { if (event.key === "Escape") say(null); });
    document.addEventListener("click", (event) => {
      const button = event.target.closest("th[aria-sort] button");
      if (button) sort(button);
      if (event.target.closest("[data-theme-toggle]")) { root.dataset.theme = isDark() ? "light" : "dark"; keep(root.dataset.theme); }
    });
    document.addEventListener("input", (event) => {
      if (event.target.matches("[data-find]")) find(event.target);
      if (event.target.matches("[data-group], [data-extras]")) columns(event.target);
      if (event.target.matches("[data-pick]")) pick();
    });
    document.addEventListener("toggle", () => drawAll(), true);
    let waiting;
    addEventListener("resize", () => { clearTimeout(waiting); waiting = setTimeout(drawAll, 200); });
    const here = new IntersectionObserver((seen) => seen.forEach((one) => {
      const link = document.querySelector("nav a[href='#" + one.target.id + "']");
      if (link && one.isIntersecting) { all("nav a[aria-current]").forEach((a) => a.removeAttribute("aria-current")); link.setAttribute("aria-current", "true"); }
    }), { rootMargin: "-10% 0px -80% 0px" });
    all("main > section").forEach((section) => here.observe(section));
    pick();
  });
})();
