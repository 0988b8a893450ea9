/**
 * Measures writes to so many stats in one order, in a process of its own, since
 * what the compiler has learned from one case changes the code of the next.
 *
 * `deno run bench/writes_case.ts <count> <order | random>` prints JSON.
 *
 * @module
 */

import {
  type Counter,
  counter,
  type Gauge,
  gauge,
  incr,
  record,
  type Series,
  series,
  set,
} from "../mod.ts";
import { names, programOrder, randomOrder } from "./inputs.ts";
import { race } from "./race.ts";

/** What one case prints. */
export interface WritesCase {
  /** For each kind of call, nanoseconds and the floor's. */
  readonly [what: string]: { ns: number; floorNs: number; ratio: number };
}

const ROUNDS = 31;
const WARM_UP = 10;

/** How often a round goes through the order, so that memory is in the cache as far as it fits. */
const PASSES = 10;

type Names = readonly string[];
type Order = Int32Array;

// The floor: shared memory, as statvent's, in a constant of the module, and a
// `Map` from names to places.
const cells = new Float64Array(new SharedArrayBuffer(8 * 10_000));
const placesByName = new Map<string, number>();

// A function for each loop, so that none learns from what another one does.

function addOne(places: Int32Array, order: Order): number {
  for (let i = 0; i < order.length; i++) cells[places[order[i]]] += 1;
  return cells[0];
}

function increment(places: Int32Array, order: Order): number {
  for (let i = 0; i < order.length; i++) cells[places[order[i]]]++;
  return cells[0];
}

function addOneMapped(names: Names, order: Order): number {
  for (let i = 0; i < order.length; i++) {
    cells[placesByName.get(names[order[i]])!] += 1;
  }
  return cells[0];
}

function incrNamed(names: Names, order: Order): number {
  for (let i = 0; i < order.length; i++) incr(names[order[i]]);
  return order.length;
}

function addNamed(names: Names, order: Order): number {
  for (let i = 0; i < order.length; i++) incr(names[order[i]], i);
  return order.length;
}

function setNamed(names: Names, order: Order): number {
  for (let i = 0; i < order.length; i++) set(names[order[i]], i);
  return order.length;
}

function recordNamed(names: Names, order: Order): number {
  for (let i = 0; i < order.length; i++) record(names[order[i]], i);
  return order.length;
}

function incrHandle(handles: readonly Counter[], order: Order): number {
  for (let i = 0; i < order.length; i++) handles[order[i]].incr();
  return order.length;
}

function addHandle(handles: readonly Counter[], order: Order): number {
  for (let i = 0; i < order.length; i++) handles[order[i]].incr(i);
  return order.length;
}

function setHandle(handles: readonly Gauge[], order: Order): number {
  for (let i = 0; i < order.length; i++) handles[order[i]].set(i);
  return order.length;
}

function recordHandle(handles: readonly Series[], order: Order): number {
  for (let i = 0; i < order.length; i++) handles[order[i]].record(i);
  return order.length;
}

async function measure(count: number, order: Order): Promise<WritesCase> {
  const scalars = names(count, (i) => `http.requests.${i}`);
  const recorded = names(count, (i) => `http.latency.${i}.{0}`);
  const counters = scalars.map((name) => counter(name));
  const gauges = scalars.map((name) => gauge(name));
  const handles = recorded.map((name) => series(name));
  const places = Int32Array.from(scalars, (_, i) => i);
  scalars.forEach((name, i) => placesByName.set(name, i));

  const passes = (pass: () => number) => () => {
    let sum = 0;
    for (let i = 0; i < PASSES; i++) sum += pass();
    return sum;
  };
  const result = await race({
    add: passes(() => addOne(places, order)),
    "view[i]++": passes(() => increment(places, order)),
    "handle.incr()": passes(() => incrHandle(counters, order)),
    "handle.incr(v)": passes(() => addHandle(counters, order)),
    "handle.set(v)": passes(() => setHandle(gauges, order)),
    "handle.record(v)": passes(() => recordHandle(handles, order)),
    mappedAdd: passes(() => addOneMapped(scalars, order)),
    "incr(name)": passes(() => incrNamed(scalars, order)),
    "incr(name, v)": passes(() => addNamed(scalars, order)),
    "set(name, v)": passes(() => setNamed(scalars, order)),
    "record(name, v)": passes(() => recordNamed(recorded, order)),
  }, { rounds: ROUNDS, warmUp: WARM_UP });

  const nsPerCall = 1e6 / (PASSES * order.length);
  const against = (
    floor: "add" | "mappedAdd",
    ...calls: (keyof typeof result.times)[]
  ) =>
    calls.map((call) => [call, {
      ns: result.ms(call) * nsPerCall,
      floorNs: result.ms(floor) * nsPerCall,
      ratio: result.ratio(call, floor),
    }]);
  return Object.fromEntries([
    ...against(
      "add",
      "view[i]++",
      "handle.incr()",
      "handle.incr(v)",
      "handle.set(v)",
      "handle.record(v)",
    ),
    ...against(
      "mappedAdd",
      "incr(name)",
      "incr(name, v)",
      "set(name, v)",
      "record(name, v)",
    ),
  ]);
}

const count = Number(Deno.args[0]);
const order = Deno.args[1] === "random" ? randomOrder : programOrder;
console.log(JSON.stringify(await measure(count, order(count))));
