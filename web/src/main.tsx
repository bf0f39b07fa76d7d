import { render } from "preact";
import { App } from "./app.tsx";
import { followLinks } from "./state.ts";

followLinks(document.body);
const root = document.getElementById("app")!;
// The head that the page came with is seen until there is this one.
root.replaceChildren();
render(<App />, root);
performance.mark("fleetlog-drawn");
