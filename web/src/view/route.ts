/** Routes: which screen the path of an address is. */

export type Route =
  | { screen: "experiments"; namespace: string }
  | { screen: "runs"; namespace: string; experiment?: number }
  | { screen: "run"; namespace: string; run: string }
  | { screen: "compare"; namespace: string }
  | { screen: "select"; namespace: string; experiment?: number }
  | { screen: "models"; namespace: string }
  | { screen: "server"; namespace: string }
  | { screen: "model"; namespace: string; model: string }
  | { screen: "version"; namespace: string; model: string; version: bigint }
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
  if (place.length === 1 && head === "select") return { screen: "select", namespace };
  if (place.length === 1 && head === "server") return { screen: "server", namespace };
  if (place.length === 1 && head === "models") return { screen: "models", namespace };
  if (place.length === 2 && head === "models" && id) return { screen: "model", namespace, model: id };
  if (place.length === 3 && head === "models" && id && tail && /^[1-9]\d{0,18}$/.test(tail)) {
    return { screen: "version", namespace, model: id, version: BigInt(tail) };
  }
  if (place.length === 2 && head === "runs" && id && /^[0-9a-f]{32}$/.test(id)) {
    return { screen: "run", namespace, run: id };
  }
  if (place.length === 3 && head === "e" && id && /^\d{1,10}$/.test(id) && (tail === "runs" || tail === "select")) {
    return { screen: tail, namespace, experiment: Number(id) };
  }
  return { screen: "lost", namespace };
}

/** Returns the path of a route. */
export function formatRoute(route: Route): string {
  const root = `/n/${encodeURIComponent(route.namespace)}`;
  if (route.screen === "run") return `${root}/runs/${route.run}`;
  if (route.screen === "runs" || route.screen === "select") {
    return route.experiment === undefined ? `${root}/${route.screen}` : `${root}/e/${route.experiment}/${route.screen}`;
  }
  if (route.screen === "compare") return `${root}/compare`;
  if (route.screen === "server") return `${root}/server`;
  if (route.screen === "models") return `${root}/models`;
  if (route.screen === "model") return `${root}/models/${encodeURIComponent(route.model)}`;
  if (route.screen === "version") return `${root}/models/${encodeURIComponent(route.model)}/${route.version}`;
  return `${root}/experiments`;
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
