/** Server screen: its version, how far the tables are behind the log, and the calls that were denied. */

import { useEffect, useState } from "preact/hooks";
import { call } from "../api/calls.ts";
import { may } from "../api/caller.ts";
import { IngestService } from "../../contract/fleetlog/v1/ingest_pb.ts";
import { QueryService } from "../../contract/fleetlog/v1/query_pb.ts";
import { AuthService } from "../../contract/fleetlog/v1/token_pb.ts";
import { Fact, Section, Time } from "../parts/facts.tsx";
import { useLoad } from "../parts/load.ts";
import { Failed, Skeleton } from "../parts/states.tsx";
import { duration, grouped } from "../view/numbers.ts";
import { progressOf } from "../view/progress.ts";

const AGAIN_MILLIS = 5000;
const DENIED = 100;

/** See the file. */
export function ServerScreen({ namespace }: { namespace: string }) {
  const [looks, setLooks] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => document.hidden || setLooks((count) => count + 1), AGAIN_MILLIS);
    return () => clearInterval(timer);
  }, []);
  const { value, failure, retry } = useLoad(`${namespace} ${looks}`, (signal) => look(namespace, signal));
  if (failure && !value) return <Failed failure={failure} retry={retry} />;
  if (!value) return <Skeleton rows={8} />;
  const behind = value.progress.reduce((sum, each) => sum + each.behind, 0n);
  return (
    <div class="screen" data-screen="server">
      <div class="bar">
        <h1>Server</h1>
      </div>
      <div class="scroll">
        <div class="overview">
          {failure && <Failed failure={failure} retry={retry} />}
          <div class="facts">
            <Fact name="Version">{value.version || "–"}</Fact>
            <Fact name="Readable after">
              <span title="until what the log had a moment ago was in the tables">{duration(value.lagMillis)}</span>
            </Fact>
            <Fact name="Records behind">
              <span data-behind={String(behind)}>{grouped(behind)}</span>
            </Fact>
          </div>
          <Section title="Log and tables" count={value.progress.length}>
            <table class="list">
              <thead>
                <tr>
                  <th>Partition</th>
                  <th class="right">In the log</th>
                  <th class="right">In the tables</th>
                  <th class="right">Behind</th>
                </tr>
              </thead>
              <tbody>
                {value.progress.map((each) => (
                  <tr key={`${each.topic} ${each.partition}`} data-partition={`${each.topic}-${each.partition}`}>
                    <td>{each.topic}-{each.partition}</td>
                    <td class="right">{grouped(each.logged)}</td>
                    <td class="right">{grouped(each.applied)}</td>
                    <td class="right">{each.behind ? grouped(each.behind) : <span class="none">–</span>}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </Section>
          {may.value.admin && <Denials key={namespace} />}
        </div>
      </div>
    </div>
  );
}

async function look(namespace: string, signal: AbortSignal) {
  const begun = performance.now();
  const { position } = await call(IngestService.method.getLogPosition, { namespace }, signal);
  const before = await call(QueryService.method.getServerInfo, {}, signal);
  await call(QueryService.method.waitForPosition, position ? { position } : {}, signal);
  return {
    version: before.version,
    progress: progressOf(position, before.applied),
    lagMillis: performance.now() - begun,
  };
}

function Denials() {
  const { value, failure, retry } = useLoad("denials", async (signal) => {
    const [read, written] = await Promise.all([
      call(QueryService.method.listDenials, {}, signal),
      call(AuthService.method.listDenials, {}, signal),
    ]);
    // One process that is both tells of each twice.
    const found = new Map([...read.denials, ...written.denials].map((each) => [`${each.server} ${each.number}`, each]));
    return [...found.values()].sort((one, other) => Number(other.timeMillis - one.timeMillis)).slice(0, DENIED);
  });
  if (failure) return <Failed failure={failure} retry={retry} />;
  if (!value) return <Skeleton rows={3} />;
  return (
    <Section title="Denied calls" count={value.length}>
      {value.length > 0 && (
        <table class="list">
          <thead>
            <tr>
              <th>When</th>
              <th>Who</th>
              <th>Call</th>
              <th>Why</th>
              <th>Namespace</th>
            </tr>
          </thead>
          <tbody>
            {value.map((each) => (
              <tr key={`${each.server} ${each.number}`} data-denied={each.reason}>
                <td class="narrow">
                  <Time millis={each.timeMillis} />
                </td>
                <td class="narrow">{each.principal || <span class="none">no valid token</span>}</td>
                <td>{each.method.split("/").pop()}</td>
                <td>
                  <code>{each.reason}</code>
                </td>
                <td>{each.namespace || <span class="none">–</span>}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </Section>
  );
}
