/** Routes: which screen the path of an address is. */

export type Route =
  | { screen: "experiments"; namespace: string }
  | { screen: "runs"; namespace: string; experiment?: number }
  | { screen: "run"; namespace: string; run: string }
  | { screen: "compare"; namespace: string }
  | { screen: "lost"; namespace: string };

export const DEFAULT_NAMESPACE = "default";

/** Returns the route of a path; "lost" for one that is no screen's. */
export function parseRoute(path: string): Route {
  const parts = path.split("/").filter((part) => part !== "").map(decode);
  if (parts.length === 0) return { screen: "experiments", namespace: DEFAULT_NAMESPACE };
  const namespace = parts[0] === "n" && parts[1] ? parts[1] : DEFAULT_NAMESPACE;
  const place = parts[0] === "n" ? parts.slice(2) : ["?"];
  const [head, id, tail] = place;
  if (place.length === 0 || (place.length === 1 && head === "experiments")) return { screen: "experiments", namespace };
  if (place.length === 1 && head === "runs") return { screen: "runs", namespace };
  if (place.length === 1 && head === "compare") return { screen: "compare", namespace };
  if (place.length === 2 && head === "runs" && id && /^[0-9a-f]{32}$/.test(id)) {
    return { screen: "run", namespace, run: id };
  }
  if (place.length === 3 && head === "e" && id && /^\d{1,10}$/.test(id) && tail === "runs") {
    return { screen: "runs", namespace, experiment: Number(id) };
  }
  return { screen: "lost", namespace };
}

/** Returns the path of a route. */
export function formatRoute(route: Route): string {
  const root = `/n/${encodeURIComponent(route.namespace)}`;
  if (route.screen === "run") return `${root}/runs/${route.run}`;
  if (route.screen === "runs") {
    return route.experiment === undefined ? `${root}/runs` : `${root}/e/${route.experiment}/runs`;
  }
  if (route.screen === "compare") return `${root}/compare`;
  return `${root}/experiments`;
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
