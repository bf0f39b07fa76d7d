/** State of the page: the address, which is the truth of every view, and what is the browser's own. */

import { computed, signal } from "@preact/signals";
import { formatRoute, parseRoute, type Route } from "./view/route.ts";
import { formatView, parseView, type View } from "./view/url.ts";

const address = signal({ path: location.pathname, search: location.search });

/** Route of the address. */
export const route = computed<Route>(() => parseRoute(address.value.path));
/** View of the address. */
export const view = computed<View>(() => parseView(address.value.search));

globalThis.addEventListener("popstate", () => {
  address.value = { path: location.pathname, search: location.search };
});

/** Goes to a place: a new entry of the history. */
export function go(path: string): void {
  history.pushState(null, "", path);
  address.value = { path: location.pathname, search: location.search };
}

/** Changes the view: a deliberate step makes a new entry of the history, typing and dragging replace it. */
export function change(changes: Partial<View>, step: "push" | "replace" = "push"): void {
  const search = formatView({ ...view.value, ...changes });
  if (search === address.value.search) return;
  const to = address.value.path + search;
  if (step === "push") history.pushState(null, "", to);
  else history.replaceState(null, "", to);
  address.value = { path: location.pathname, search: location.search };
}

/** Returns the address of a route with some of a view. Whoever looks at a past moment stays in it. */
export function hrefOf(to: Route, search = ""): string {
  const { asof } = view.value;
  if (!asof) return formatRoute(to) + search;
  return `${formatRoute(to)}${search}${search ? "&" : "?"}asof=${encodeURIComponent(asof)}`;
}

/** Follows links of this page without loading it anew. */
export function followLinks(root: HTMLElement): void {
  root.addEventListener("click", (event) => {
    const link = (event.target as Element).closest("a");
    if (!link || event.defaultPrevented || event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey) {
      return;
    }
    if (link.origin !== location.origin || link.target || link.hasAttribute("download")) return;
    if (!link.pathname.startsWith("/n/") && link.pathname !== "/") return;
    event.preventDefault();
    go(link.pathname + link.search);
  });
}

type Theme = "auto" | "light" | "dark";

/** Theme that the reader chose; "auto" is the system's. */
export const theme = signal<Theme>(readTheme());
const systemDark = matchMedia("(prefers-color-scheme: dark)");
const systemIsDark = signal(systemDark.matches);
systemDark.addEventListener("change", () => systemIsDark.value = systemDark.matches);
/** Ground on which things are drawn. */
export const ground = computed<"light" | "dark">(() =>
  theme.value === "auto" ? (systemIsDark.value ? "dark" : "light") : theme.value
);

/** Keeps the theme in this browser. */
export function chooseTheme(next: Theme): void {
  theme.value = next;
  keep("theme", next);
}

/** Returns what this browser kept under a name; undefined when it keeps nothing. */
export function kept(name: string): string | undefined {
  try {
    return localStorage.getItem(`fleetlog.${name}`) ?? undefined;
  } catch {
    return undefined;
  }
}

/** Keeps a text in this browser, where it lets. */
export function keep(name: string, value: string): void {
  try {
    localStorage.setItem(`fleetlog.${name}`, value);
  } catch {
    // A browser that keeps nothing shows everything all the same.
  }
}

function readTheme(): Theme {
  const theme = kept("theme");
  return theme === "light" || theme === "dark" ? theme : "auto";
}
