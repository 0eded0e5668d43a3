
"use strict";
// The console of the cache. Everything that comes from the API is set as text, never as markup.
const api = "/api/v1";
const find = (id) => document.getElementById(id);
let token = sessionStorage.getItem("token");
let map = [], changes = [], before = null, cursor = null, opened = null, timer = null;

function element(name, text, attributes = {}) {
  const made = document.createElement(name);
  if (text !== undefined && text !== null) made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}
function say(text) { find("message").textContent = text; }

async function ask(path, options = {}) {
  const headers = { ...(options.body && { "content-type": "application/json" }), ...(token && { authorization: `Bearer ${token}` }) };
  const answer = await fetch(api + path, { ...options, headers, cache: "no-store" });
  if (answer.ok) return answer.status === 204 ? null : answer.json();
  const problem = await answer.json().catch(() => ({}));
  const fields = (problem.errors || []).map((error) => `${error.field} ${error.message}`).join("; ");
  if (answer.status === 401 && token) { leave(); }
  const error = new Error(answer.status === 403 ? "Only superusers may see the cache." : fields || problem.detail || `Status ${answer.status}`);
  error.status = answer.status;
  throw error;
}
const attempt = (action) => (event) => { event?.preventDefault(); return action(event).catch((error) => say(error.message)); };

function show(signedIn) {
  find("sign-in").hidden = signedIn;
  find("sign-out").hidden = !signedIn;
  document.querySelector("main").hidden = !signedIn;
}
function leave() {
  token = null; before = null; opened = null;
  sessionStorage.removeItem("token");
  clearTimeout(timer);
  for (const id of ["routes", "list", "history", "newest", "backends", "picture", "found", "purged", "body", "facts", "ended-by"]) find(id).replaceChildren();
  find("entry").hidden = true; find("more").hidden = true;
  find("about").textContent = "For superusers: what is cached, what ended it, and why.";
  show(false);
}
async function enter() {
  try {
    ({ routes: map, changes } = await ask("/cache/map"));
  } catch (error) { const reason = error.message; leave(); throw new Error(reason); }
  sessionStorage.setItem("token", token);
  show(true); say("");
  draw(); offer();
  await Promise.all([look(), search(false)]);
}

find("sign-in").addEventListener("submit", attempt(async (event) => {
  const form = event.target;
  const { username, password } = form.elements;
  const answer = await ask("/auth/login", { method: "POST", body: JSON.stringify({ username: username.value, password: password.value }) });
  form.reset();
  token = answer.access_token;
  await enter();
}));
find("sign-out").addEventListener("click", attempt(async () => {
  try { await ask("/auth/logout", { method: "POST" }); } finally { leave(); say("Signed out."); }
}));

// Live.
async function look() {
  clearTimeout(timer);
  try {
    const [stats, events] = await Promise.all([ask("/cache/stats"), ask("/cache/events?items_per_page=20")]);
    if (!token) return;
    showStats(stats);
    find("newest").replaceChildren(...events.data.map(eventItem));
    if (opened) showHistory(await ask(`/cache/events?items_per_page=50&key=${encodeURIComponent(opened)}`));
  } catch (error) { say(error.message); }
  if (token) timer = setTimeout(look, 2000);
}
function showStats(stats) {
  find("about").textContent = `Instance ${stats.instance.slice(0, 8)}${stats.namespace ? `, namespace ${stats.namespace}` : ""}${stats.stale_entries_found ? `, ${stats.stale_entries_found} stale entries found` : ""}`;
  const states = stats.backends.map((backend) => {
    const item = element("li", `${backend.name} `);
    item.append(element("span", backend.availability, { class: backend.availability === "ready" ? "good" : backend.availability === "unavailable" ? "bad" : "warn" }));
    const pending = backend.pending_everything ? "everything" : backend.pending_keys ? `${backend.pending_keys} keys` : "";
    if (pending) item.append(element("span", ` · pending: ${pending}`, { class: "warn" }));
    if (backend.shortfall) item.append(element("span", ` · ${backend.shortfall}`, { class: "warn" }));
    return item;
  });
  find("backends").replaceChildren(...(states.length ? states : [element("li", "The cache is off (CACHE_ENABLED=false).")]));
  const now = performance.now();
  const seconds = before ? (now - before.at) / 1000 : 0;
  const cached = new Set(map.filter((route) => route.cached).map((route) => `${route.method} ${route.path}`));
  const routes = (stats.routes || []).filter((route) => cached.has(route.route));
  const rows = routes.map((route) => {
    const last = before?.routes.get(route.route);
    const row = element("tr");
    const fresh = last ? subtract(route, last) : null;
    const lookups = (numbers) => Object.values(numbers.lookups).reduce((sum, count) => sum + count, 0);
    const ratio = (numbers) => numbers && lookups(numbers) ? numbers.hits / lookups(numbers) : null;
    const share = (value) => value === null ? "–" : `${(100 * value).toFixed(1)} %`;
    const live = element("td");
    if (ratio(fresh) !== null) live.append(element("meter", undefined, { min: 0, max: 1, value: ratio(fresh), "aria-hidden": "true" }));
    live.append(share(ratio(fresh)));
    const shown = fresh && fresh.requests ? fresh : route;
    row.append(element("td", route.route), live, element("td", share(ratio(route))),
      element("td", fresh ? (fresh.requests / seconds).toFixed(1) : "–"),
      element("td", quantile(shown, 0.5)), element("td", quantile(shown, 0.99)), element("td", route.requests));
    return row;
  });
  if (!rows.length) { const row = element("tr"); row.append(element("td", stats.routes ? "No cached route has been asked yet." : "No numbers: METRICS_ENABLED=false.", { colspan: 7 })); rows.push(row); }
  find("routes").replaceChildren(...rows);
  before = { at: now, routes: new Map((stats.routes || []).map((route) => [route.route, route])) };
}
function subtract(now, last) {
  const lookups = Object.fromEntries(Object.entries(now.lookups).map(([name, count]) => [name, count - (last.lookups[name] || 0)]));
  const durations = now.durations.map((bucket, place) => ({ at_most: bucket.at_most, requests: bucket.requests - (last.durations[place]?.requests || 0) }));
  // Another instance may have answered: then the numbers do not belong together.
  return now.requests < last.requests ? null : { hits: now.hits - last.hits, lookups, durations, requests: now.requests - last.requests };
}
function quantile(numbers, share) {
  if (!numbers.requests) return "–";
  const bucket = numbers.durations.find((one) => one.requests >= share * numbers.requests);
  return bucket ? `≤ ${duration(bucket.at_most)}` : `> ${duration(numbers.durations.at(-1).at_most)}`;
}
function duration(seconds) {
  const size = Math.abs(seconds);
  if (size < 0.001) return `${Math.round(seconds * 1e6)} µs`;
  if (size < 1) return `${+(seconds * 1000).toFixed(1)} ms`;
  if (size < 120) return `${+seconds.toFixed(1)} s`;
  return size < 7200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`;
}
const bytes = (count) => count < 1024 ? `${count} B` : count < 1048576 ? `${(count / 1024).toFixed(1)} KiB` : `${(count / 1048576).toFixed(1)} MiB`;

// Entries.
const PARTS = 100;
let searches = 0;
async function search(continued) {
  const own = ++searches, prefix = find("search").elements.prefix.value;
  let from = continued ? cursor : null, page;
  // The work for one part is bounded, so parts before the first entry may be empty.
  for (let part = 0; part < PARTS; part++) {
    page = await ask(`/cache/entries?limit=50&prefix=${encodeURIComponent(prefix)}${from ? `&cursor=${from}` : ""}`);
    if (own !== searches) return;
    from = page.next_cursor;
    if (page.data.length || !from) break;
    find("found").textContent = "Searching…";
  }
  cursor = from;
  const rows = page.data.map((entry) => {
    const row = element("tr"), first = element("td"), open = element("button", entry.key, { type: "button" });
    open.addEventListener("click", attempt(() => openEntry(entry.key)));
    first.append(open);
    const state = element("td"); state.append(element("span", entry.state, { class: entry.state === "answer" ? "good" : entry.state === "ended" ? "bad" : "warn" }));
    row.append(first, state, element("td", duration(entry.age_seconds)), element("td", entry.ttl_seconds > 0 ? duration(entry.ttl_seconds) : "–"), element("td", bytes(entry.size_bytes)), element("td", entry.group || "–"));
    return row;
  });
  if (continued) find("list").append(...rows); else find("list").replaceChildren(...rows);
  const count = find("list").childElementCount;
  find("found").textContent = `${count} ${count === 1 ? "entry" : "entries"}${cursor ? ", and more" : ""}.${page.is_list_of_server ? "" : " The backend cannot list its entries: these are those that this instance has stored lately."}`;
  find("more").hidden = !cursor;
}
find("search").addEventListener("submit", attempt(async () => { say(""); await search(false); }));
find("more").addEventListener("click", attempt(() => search(true)));

async function openEntry(key) {
  const history = ask(`/cache/events?items_per_page=50&key=${encodeURIComponent(key)}`);
  const found = await ask(`/cache/entries/${encodeURIComponent(key)}`).catch((error) => { if (error.status === 404) return null; throw error; });
  opened = key;
  const panel = find("entry");
  panel.querySelector("h3").textContent = key;
  const policy = policyOf(key);
  const facts = found ? [
    `${found.entry.state}, status ${found.entry.status}, ${bytes(found.entry.size_bytes)}, age ${duration(found.entry.age_seconds)}, ttl ${duration(found.entry.ttl_seconds)}, handler took ${found.entry.handler_milliseconds} ms`,
    found.entry.group && `Group ${found.entry.group}`, found.entry.resource && `Resource ${found.entry.resource}`,
    found.headers.map((header) => `${header.name}: ${header.value}`).join(" · "),
  ] : ["There is no entry under this key now."];
  if (policy) facts.push(`Stored by ${policy.method} ${policy.path}, policy ${policy.key}, ${policy.audience}`);
  find("facts").replaceChildren(...facts.filter(Boolean).map((fact) => element("p", fact)));
  const enders = policy ? [
    ...map.filter((route) => !route.cached && ends(route, policy)).map((route) => `${route.method} ${route.path}`),
    ...changes.filter((change) => ends(change, policy)).map((change) => `a change of ${change.kind} in the database, whoever makes it`),
  ] : [];
  find("ended-by").replaceChildren(...(enders.length ? enders : ["No declared route; it ends by expiry or a purge."]).map((one) => element("li", one)));
  find("body").textContent = found ? (found.body_encoding === "text" ? found.body : `base64: ${found.body}`) : "";
  showHistory(await history);
  panel.hidden = false; panel.focus(); panel.scrollIntoView({ block: "nearest" });
}
function showHistory(page) {
  find("history").replaceChildren(...(page.data.length ? page.data.map(eventItem) : [element("li", "No event of this key is kept.")]));
}
function eventItem(event) {
  const item = element("li", undefined, { class: event.kind });
  const time = element("time", new Date(event.at).toLocaleTimeString([], { hour12: false }), { datetime: event.at, title: event.at });
  const by = event.route || { service: "a service", feed: "a change of the database", operator: "an operator", request: "a request" }[event.source];
  item.append(time, " ", element("strong", event.kind), ` by ${event.source === "operator" ? "an operator: " : ""}${by}`);
  const names = event.everything ? ["everything"] : [...new Set([...event.keys, ...event.resources]), ...event.groups.map((name) => `group ${name}`), ...event.patterns.map((name) => `pattern ${name}`)];
  item.append(element("div", names.join(", ") + (event.left_out ? `, and ${event.left_out} more` : ""), { class: "soft" }));
  item.append(element("div", `${event.request_id ? `request ${event.request_id}, ` : ""}instance ${event.instance.slice(0, 8)}`, { class: "soft" }));
  return item;
}
find("close").addEventListener("click", () => { opened = null; find("entry").hidden = true; find("search").elements.prefix.focus(); });
document.addEventListener("keydown", (event) => { if (event.key === "Escape" && opened) find("close").click(); });

// Purge.
async function purge(body) {
  const done = await ask("/cache/purge", { method: "POST", body: JSON.stringify(body) });
  const names = [...done.keys, ...done.groups.map((name) => `group ${name}`), ...done.patterns.map((name) => `pattern ${name}`), ...(done.everything ? ["everything"] : [])];
  find("purged").textContent = [names.length && `Purged: ${names.join(", ")}.`, done.unsupported.length && `The backend cannot delete by pattern: ${done.unsupported.join(", ")}.`, done.pending.length && `Pending until ${done.pending.join(", ")} is back.`].filter(Boolean).join(" ");
  await search(false);
  await look();
}
find("purge-form").addEventListener("submit", attempt(async (event) => {
  const { kind, name } = event.target.elements;
  say("");
  await purge({ [kind.value]: [name.value] });
}));
find("purge-entry").addEventListener("click", attempt(async () => { const key = opened; await purge({ keys: [key] }); await openEntry(key); say(find("purged").textContent); }));
function offer() {
  const kind = find("purge-form").elements.kind.value;
  const names = kind === "policies" ? map.filter((route) => route.cached).map((route) => route.key) : [];
  find("names").replaceChildren(...names.map((name) => element("option", undefined, { value: name })));
}
find("purge-form").elements.kind.addEventListener("change", offer);

// The map. Two templates are the same where they differ in the names of their arguments alone.
const shape = (template) => template && template.replace(/\{[^}]*\}/g, "{}");
const literal = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
const covers = (glob, name) => new RegExp(`^${glob.replace(/\{[^}]*\}/g, "*").split("*").map(literal).join(".*")}$`).test(name);
function ends(writer, reader) {
  const keys = [writer.key, ...writer.ends_keys].map(shape);
  return keys.includes(shape(reader.key)) || (reader.group && writer.ends_groups.map(shape).includes(shape(reader.group))) || writer.ends_patterns.some((glob) => covers(glob, reader.key));
}
function policyOf(key) {
  const fits = (route) => new RegExp(`^${route.key.split(/\{[^}]*\}/).map(literal).join("[^:]*")}(:|$)`).test(key);
  return map.filter((route) => route.cached && fits(route)).sort((one, other) => other.key.length - one.key.length)[0];
}
function draw() {
  const svgName = "http://www.w3.org/2000/svg";
  const make = (name, attributes) => { const made = document.createElementNS(svgName, name); for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value); return made; };
  const readers = map.filter((route) => route.cached);
  const writers = map.filter((route) => !route.cached && (route.key || route.ends_keys.length || route.ends_groups.length || route.ends_patterns.length));
  const stored = [...new Map(readers.flatMap((route) => [[`key ${shape(route.key)}`, `${route.key}`], ...(route.group ? [[`group ${shape(route.group)}`, `group ${route.group}`]] : [])]))];
  writers.push(...changes);
  const name = (route) => route.kind ? `change of ${route.kind}` : `${route.method} ${route.path.replace(/^\/api\/v1/, "")}`;
  const columns = [readers.map(name), stored.map(([, text]) => text), writers.map(name)];
  const widths = columns.map((texts) => 20 + 7.9 * Math.max(8, ...texts.map((text) => text.length)));
  const gap = 80, step = 40, height = step * Math.max(...columns.map((texts) => texts.length)) + 10;
  const left = [2, widths[0] + gap, widths[0] + widths[1] + 2 * gap];
  const width = left[2] + widths[2] + 2;
  const svg = make("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": "Reading routes, keys and groups, writing routes and changes of the database" });
  const middle = (column, place) => 5 + (place + 0.5) * height / columns[column].length - 5;
  const links = [];
  const link = (from, to, column, kind) => {
    const [x1, x2] = [left[column] + widths[column], left[column + 1]], [y1, y2] = [middle(column, from), middle(column + 1, to)];
    const path = make("path", { d: `M${x1} ${y1}C${x1 + gap / 2} ${y1} ${x2 - gap / 2} ${y2} ${x2} ${y2}`, class: kind });
    links.push({ path, boxes: [`${column} ${from}`, `${column + 1} ${to}`] });
    svg.append(path);
  };
  const place = (id) => stored.findIndex(([known]) => known === id);
  readers.forEach((route, number) => {
    link(number, place(`key ${shape(route.key)}`), 0, "stores");
    if (route.group) link(number, place(`group ${shape(route.group)}`), 0, "stores");
  });
  writers.forEach((route, number) => stored.forEach(([id, text], target) => {
    const hit = [route.key, ...route.ends_keys].filter(Boolean).some((key) => `key ${shape(key)}` === id) || route.ends_groups.some((group) => `group ${shape(group)}` === id) || (id.startsWith("key ") && route.ends_patterns.some((glob) => covers(glob, text)));
    if (hit) link(target, number, 1, "ends");
  }));
  columns.forEach((texts, column) => texts.forEach((text, number) => {
    const box = make("g", { tabindex: 0, role: "button", "aria-label": text, class: column === 2 && writers[number].kind ? "change" : "" });
    const y = middle(column, number);
    box.append(make("rect", { x: left[column], y: y - 14, width: widths[column], height: 28 }));
    const label = make("text", { x: left[column] + 10, y: y + 4 }); label.textContent = text; box.append(label);
    box.dataset.id = `${column} ${number}`;
    const choose = () => {
      const again = box.classList.contains("chosen");
      for (const old of svg.querySelectorAll(".on, .chosen")) old.classList.remove("on", "chosen");
      svg.classList.toggle("chosen", !again);
      if (again) return;
      const on = new Set([box.dataset.id]);
      for (const one of links.filter((one) => one.boxes.includes(box.dataset.id))) { one.path.classList.add("on"); one.boxes.forEach((id) => on.add(id)); }
      for (const other of svg.querySelectorAll("g")) other.classList.toggle("on", on.has(other.dataset.id));
      box.classList.add("chosen");
    };
    box.addEventListener("click", choose);
    box.addEventListener("keydown", (event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); choose(); } });
    svg.append(box);
  }));
  find("picture").replaceChildren(svg);
}

if (token) enter().catch((error) => say(error.message)); else show(false);
