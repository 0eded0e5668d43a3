
"use strict";
// Everything that comes from the document or an answer is set as text, never as markup.
const make = (name, properties = {}, ...children) => {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
};
const byId = (id) => document.getElementById(id);
let api;
let token = "";

const resolve = (object) => {
  let found = object;
  while (found && found.$ref) {
    found = found.$ref.slice(2).split("/").reduce((place, name) => place[name], api);
  }
  return found || {};
};

const bounds = (schema) => {
  const words = [];
  if (schema.type) words.push([].concat(schema.type).join(" or "));
  if (schema.format) words.push(schema.format);
  if (schema.minLength !== undefined || schema.maxLength !== undefined) {
    words.push(`${schema.minLength || 0}–${schema.maxLength === undefined ? "∞" : schema.maxLength} characters`);
  }
  if (schema.minimum !== undefined || schema.maximum !== undefined) {
    // The bound of 64 bits is no help, and is inexact here.
    const most = schema.maximum > Number.MAX_SAFE_INTEGER ? "" : schema.maximum;
    words.push(`${schema.minimum === undefined ? "" : schema.minimum}–${most === undefined ? "" : most}`);
  }
  if (schema.default !== undefined) words.push(`default ${JSON.stringify(schema.default)}`);
  return words.join(", ");
};

const typeOf = (schema) => {
  const values = resolve(schema).enum;
  if (values) return values.map((value) => JSON.stringify(value)).join(" or ");
  if (schema.anyOf) return schema.anyOf.map(typeOf).join(" or ");
  if (schema.$ref) return schema.$ref.split("/").pop();
  if (schema.type === "array") return `list of ${typeOf(schema.items || {})}`;
  return bounds(schema);
};

const table = (rows) => make("div", { className: "scroll" }, make("table", {}, make("tbody", {}, ...rows)));
const row = (name, kind, text) =>
  make("tr", {}, make("td", {}, make("code", { textContent: name })), make("td", { className: "soft", textContent: kind }), make("td", { textContent: text || "" }));

const fields = (schema) => {
  const object = resolve(schema);
  const required = object.required || [];
  return Object.entries(object.properties || {}).map(([name, property]) =>
    row(required.includes(name) ? `${name} *` : name, typeOf(property), property.description));
};

const contentOf = (object) => Object.values((object && object.content) || {})[0];

const cacheRows = (cache) => {
  if (!cache) return [];
  if (cache.invalidates) {
    return Object.entries(cache.invalidates).filter(([, names]) => names.length)
      .map(([kind, names]) => row(`ends ${kind}`, names.join(", "), ""));
  }
  return Object.entries(cache).filter(([, value]) => [].concat(value).length)
    .map(([name, value]) => row(name, [].concat(value).join(", ") + (name === "expiration" ? " s" : ""), ""));
};

const send = async (method, path, operation, form, output) => {
  let target = path;
  const query = new URLSearchParams();
  const headers = {};
  for (const parameter of operation.parameters || []) {
    const value = form.elements[`${parameter.in}:${parameter.name}`].value;
    if (value === "") continue;
    if (parameter.in === "path") target = target.replace(`{${parameter.name}}`, encodeURIComponent(value));
    if (parameter.in === "query") query.set(parameter.name, value);
    if (parameter.in === "header") headers[parameter.name] = value;
  }
  if (target.includes("{")) {
    output.replaceChildren(make("p", { className: "bad", textContent: "A parameter of the path is empty." }));
    return;
  }
  const body = operation.requestBody ? form.elements.body.value : undefined;
  if (body !== undefined) headers["content-type"] = "application/json";
  if (token) headers.authorization = `Bearer ${token}`;
  const address = query.size ? `${target}?${query}` : target;
  const began = performance.now();
  try {
    const answer = await fetch(address, { method: method.toUpperCase(), headers, body, cache: "no-store" });
    const text = await answer.text();
    const time = (performance.now() - began).toFixed(1);
    let shown = text;
    try { shown = JSON.stringify(JSON.parse(text), null, 2); } catch { /* It is no JSON, and is shown as it is. */ }
    const known = ["cache-status", "etag", "age", "location", "retry-after", "x-request-id"]
      .filter((name) => answer.headers.has(name)).map((name) => row(name, answer.headers.get(name), ""));
    output.replaceChildren(
      make("p", {}, make("span", { className: `status ${answer.ok ? "good" : "bad"}`, textContent: `${answer.status} ${answer.statusText}` }), ` after ${time} ms`),
      table(known),
      make("pre", { textContent: shown.slice(0, 100000) || "(no body)" }));
  } catch (error) {
    output.replaceChildren(make("p", { className: "bad", textContent: `No answer: ${error.message}` }));
  }
};

const requestForm = (method, path, operation) => {
  const output = make("div", { ariaLive: "polite" });
  const inputs = (operation.parameters || []).map((parameter) => {
    const example = (parameter.schema.examples || [])[0];
    return make("label", {}, `${parameter.name}${parameter.required ? " *" : ""}`,
      make("input", { name: `${parameter.in}:${parameter.name}`, placeholder: example === undefined ? "" : String(example) }));
  });
  if (operation.requestBody) {
    const media = contentOf(operation.requestBody);
    inputs.push(make("label", { className: "wide" }, "Body",
      make("textarea", { name: "body", spellcheck: false, value: JSON.stringify(media.example, null, 2) })));
  }
  const form = make("form", {}, ...inputs, make("button", { textContent: "Send" }));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send(method, path, operation, form, output);
  });
  return make("div", {}, form, output);
};

const inside = (method, path, operation) => {
  const parts = [make("p", { className: "soft", textContent: operation.description || "" })];
  const add = (title, rows) => { if (rows.length) parts.push(make("h3", { textContent: title }), table(rows)); };
  add("Parameters", (operation.parameters || []).map((parameter) =>
    row(`${parameter.name}${parameter.required ? " *" : ""}`, `${parameter.in}, ${bounds(parameter.schema)}`, parameter.description)));
  const body = contentOf(operation.requestBody);
  if (body) add("Body", fields(body.schema));
  add("Cache", cacheRows(operation["x-cache"]));
  add("Answers", Object.entries(operation.responses).map(([status, answer]) => {
    const found = resolve(answer);
    const media = contentOf(found);
    return row(status, media ? typeOf(media.schema) : "", found.description);
  }));
  const success = Object.entries(operation.responses).filter(([status]) => status.startsWith("2")).map(([, answer]) => contentOf(resolve(answer)))[0];
  if (success && success.example !== undefined) parts.push(make("pre", { textContent: JSON.stringify(success.example, null, 2) }));
  parts.push(make("h3", { textContent: "Try it" }), requestForm(method, path, operation));
  return make("div", { className: "inside" }, ...parts);
};

const operationElement = (method, path, operation) => {
  const roles = operation.security.flatMap((wanted) => Object.values(wanted).flat());
  const caller = operation.security.length ? roles.join(", ") || "signed in" : "";
  const cache = operation["x-cache"];
  const kind = cache ? (cache.invalidates ? "invalidates" : "cached") : "";
  const element = make("details", { className: "operation", id: operation.operationId },
    make("summary", {},
      make("span", { className: `method ${method}`, textContent: method.toUpperCase() }),
      make("span", { className: "path", textContent: path }),
      make("span", { className: "note", textContent: [caller, kind].filter(Boolean).join(" · ") })));
  // Made when it is opened: a large API stays fast.
  element.addEventListener("toggle", () => {
    if (element.open && element.children.length === 1) element.append(inside(method, path, operation));
  });
  return element;
};

const show = () => {
  byId("title").textContent = `${api.info.title} ${api.info.version}`;
  byId("about").replaceChildren(api.info.description.replaceAll("`", ""), " ", make("a", { href: "/openapi.json", textContent: "openapi.json" }));
  document.title = `${api.info.title} API`;
  byId("operations").replaceChildren(...api.tags.map(({ name }) => {
    const section = make("section", {}, make("h2", { textContent: name }));
    for (const [path, methods] of Object.entries(api.paths)) {
      for (const [method, operation] of Object.entries(methods)) {
        if (operation.tags[0] === name) section.append(operationElement(method, path, operation));
      }
    }
    return section;
  }));
  const wanted = location.hash && byId(decodeURIComponent(location.hash.slice(1)));
  if (wanted) { wanted.open = true; wanted.scrollIntoView(); }
};

byId("session").addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.target;
  const output = form.querySelector("output");
  try {
    const body = JSON.stringify({ username: form.elements.username.value, password: form.elements.password.value });
    const answer = await fetch("/api/v1/auth/login", { method: "POST", headers: { "content-type": "application/json" }, body });
    const result = await answer.json();
    token = answer.ok ? result.access_token : "";
    output.textContent = answer.ok ? "Signed in." : result.detail;
  } catch (error) {
    output.textContent = `No answer: ${error.message}`;
  }
  form.elements.password.value = "";
});

fetch("/openapi.json").then((answer) => answer.json()).then((found) => { api = found; show(); })
  .catch((error) => byId("operations").replaceChildren(make("p", { className: "bad", textContent: `The document cannot be read: ${error.message}` })));
