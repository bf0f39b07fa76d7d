import { render } from "preact";
import { App } from "./app.tsx";
import { followLinks } from "./state.ts";

followLinks(document.body);
render(<App />, document.getElementById("app")!);
