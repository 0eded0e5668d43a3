// A client of the API as a team would write it, on types that were generated from the description: ./scripts/test contract
//
// Come here to see the generated client in use. It gets the address, the name and the password of a user as arguments, and fails where
// an answer is not the described one. The names of paths and fields below are checked by the compiler.

import createClient from "openapi-fetch";
import type { components, paths } from "./api.js";

const [address, username, password] = process.argv.slice(2) as [string, string, string];

function check(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Error(`not so: ${what}`);
}

const api = createClient<paths>({ baseUrl: address });

// Sign in.
const signIn = await api.POST("/api/v1/auth/login", { body: { username, password } });
check(signIn.data !== undefined, `a token for ${username}, but status ${signIn.response.status}`);
const token = signIn.data.access_token;
api.use({
  onRequest({ request }) {
    request.headers.set("Authorization", `Bearer ${token}`);
    return request;
  },
});

// Create.
const created = await api.POST("/api/v1/widgets", { body: { name: "tea", description: "green" } });
check(created.data !== undefined && created.response.status === 201, "a new widget");
const widget: components["schemas"]["WidgetRead"] = created.data;
const here = { params: { path: { widget_id: widget.id } } };

// Read, once from the database and once from the cache.
for (const time of ["first", "second"]) {
  const read = await api.GET("/api/v1/widgets/{widget_id}", here);
  check(read.data?.name === "tea" && read.data.owner === username, `the ${time} answer is the widget`);
}
const found = await api.GET("/api/v1/users/{username}/widgets", { params: { path: { username }, query: { items_per_page: 100 } } });
check(found.data?.data.some((one) => one.id === widget.id) === true, "the list has the widget");

// Change. `null` clears the description.
const changed = await api.PATCH("/api/v1/widgets/{widget_id}", { ...here, body: { name: "coffee", description: null } });
check(changed.data?.name === "coffee" && changed.data.description === null, "the changed widget");
check((await api.GET("/api/v1/widgets/{widget_id}", here)).data?.name === "coffee", "a read after the change is not the old answer");

// A refusal is a problem document, with a sentence for each field.
const refused = await api.POST("/api/v1/widgets", { body: { name: "" } });
check(refused.response.status === 422 && refused.error?.errors?.[0]?.field === "name", "an empty name is refused by its name");

// Delete.
check((await api.DELETE("/api/v1/widgets/{widget_id}", here)).response.status === 204, "the widget is deleted");
const gone = await api.GET("/api/v1/widgets/{widget_id}", here);
check(gone.response.status === 404 && gone.error?.title === "Not Found", "the widget is gone");

// What the description does not allow does not compile.
// @ts-expect-error A widget has no price.
export const withoutPrice: components["schemas"]["WidgetCreate"] = { name: "tea", price: 1 };
// @ts-expect-error There is no such path.
export const nowhere: keyof paths = "/api/v1/gadgets";

console.log("the generated client signed in, and created, read, changed and deleted a widget");
