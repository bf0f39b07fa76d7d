/** Cells of the table: what a column shows of a run, short and whole. */

import type { Run } from "../../contract/fleetlog/v1/run_pb.ts";
import { stateWord } from "./run_words.ts";
import type { Column } from "./columns.ts";
import { duration, grouped, localTime, shortNumber, utcTime, wholeNumber } from "./numbers.ts";

/** Cell of a run in a column. */
export interface Cell {
  /** Text in the table. */
  text: string;
  /** Whole value, on hover and on copy; as `text` when there is no more to tell. */
  whole: string;
  /** Number that it is; undefined for texts, times and what is missing. */
  number: number | undefined;
  /** Look of the cell. */
  look: "number" | "odd" | "text" | "time" | "missing" | "state";
}

const MISSING: Cell = { text: "", whole: "", number: undefined, look: "missing" };

/** Returns the cell of a run in a column, as of `now` for what has not ended. */
export function cellOf(run: Run, column: Column, now: number): Cell {
  if (column.kind === "attributes") return attribute(run, column.key, now);
  if (column.kind === "tags") return run.tags[column.key] === undefined ? MISSING : text(run.tags[column.key]!);
  if (column.kind === "params") {
    const param = run.params.find((each) => each.key === column.key);
    return param ? paramCell(param) : MISSING;
  }
  const metric = run.metrics.find((each) => each.key === column.key);
  if (!metric) return MISSING;
  if (column.statistic === "last") return number(metric.last);
  const range = metric.range;
  if (!range) return MISSING;
  return column.statistic === "count" ? number(Number(range.count)) : number(range[column.statistic]);
}

/** Returns the cell of a param by its type. */
export function paramCell(param: Run["params"][number]): Cell {
  const value = param.value;
  if (value.case === "real") return number(value.value);
  if (value.case === "truth") return text(value.value ? "true" : "false");
  if (value.case === "text") return text(value.value);
  if (value.case !== "whole") return MISSING;
  const size = Number(value.value);
  const short = Math.abs(size) < 1e7 ? grouped(value.value).replace(/^-/, "−") : shortNumber(size);
  return { text: short, whole: String(value.value), number: size, look: "number" };
}

function attribute(run: Run, key: string, now: number): Cell {
  const start = Number(run.startTimeMillis);
  const end = run.endTimeMillis === undefined ? undefined : Number(run.endTimeMillis);
  switch (key) {
    case "name":
      return text(run.name || run.runId.slice(0, 12));
    case "state":
      return { text: stateWord(run.state), whole: stateWord(run.state), number: undefined, look: "state" };
    case "start_time":
      return time(start);
    case "end_time":
      return end === undefined ? MISSING : time(end);
    case "duration": {
      const millis = (end ?? now) - start;
      return { text: duration(millis), whole: `${grouped(millis)} ms`, number: millis, look: "number" };
    }
    case "user":
      return run.user ? text(run.user) : MISSING;
    case "experiment_id":
      return text(String(run.experimentId));
    default:
      return text(run.runId);
  }
}

function number(value: number): Cell {
  return {
    text: shortNumber(value),
    whole: wholeNumber(value),
    number: value,
    look: Number.isFinite(value) ? "number" : "odd",
  };
}

function text(value: string): Cell {
  return { text: value, whole: value, number: undefined, look: "text" };
}

function time(millis: number): Cell {
  return { text: localTime(millis), whole: utcTime(millis), number: undefined, look: "time" };
}
