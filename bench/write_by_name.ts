/**
 * Measures `incr` by name, against a bare `Map` and peers.
 *
 * @module
 */

import { incr } from "../mod.ts";
import { calls, shape } from "./calls.ts";
import { endChildren } from "./child.ts";
import { names } from "./inputs.ts";
import { say } from "./measured.ts";
import { hotShots, openTelemetry } from "./peers.ts";
import { versus } from "./versus.ts";

const ours = names(shape.count, (i) => `http.requests.${i}`);
const cells = new Float64Array(new SharedArrayBuffer(8 * shape.count));
const places = new Map(ours.map((name, i) => [name, i]));

say([
  await versus(`incr(name), ${shape.label}`, {
    statvent: calls(ours, "incr(@);", { incr }),
    floor: calls(ours, "cells[places.get(@)]++;", { cells, places }),
    peers: {
      "Map.get and += 1": () =>
        calls(ours, "cells[places.get(@)] += 1;", { cells, places }),
      OpenTelemetry: async () => {
        const { meter } = await openTelemetry();
        return calls(
          ours.map((name) => meter.createCounter(name)),
          "@.add(1);",
        );
      },
      "hot-shots, UDP": () => hotShots(ours, false),
      "hot-shots, mock": () => hotShots(ours, true),
    },
  }),
]);
await endChildren();
