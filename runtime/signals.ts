/**
 * The signals that end a program unless it listens to them.
 *
 * Listens to signals, sends this process signals, starts `mkfifo` on Deno.
 *
 * @module
 */

import process from "node:process";
import { attempt } from "./attempt.ts";

/** The signals by which people and service managers end a program, in the order of their indexes. */
export const ENDING_SIGNALS = ["SIGTERM", "SIGINT", "SIGHUP"] as const;

/** One of them. */
export type EndingSignal = typeof ENDING_SIGNALS[number];

/** The bits of the signals in the mask of those that are ignored. */
const BITS = { SIGTERM: 14n, SIGINT: 1n, SIGHUP: 0n };

const ignore = () => {};

const isDeno = "Deno" in globalThis;

/** Whether listeners in a thread get signals, which they do on Deno only. */
export const threadsGetSignals = isDeno;

/** Reads a file, or throws. */
type ReadText = (path: string) => string;

/**
 * Whether `/proc` names a signal among those that this process ignores, as after
 * `nohup`, or catches; `undefined` if it does not tell.
 */
function isInMask(
  mask: "SigIgn" | "SigCgt",
  signal: EndingSignal,
  readText: ReadText,
): boolean | undefined {
  const status = attempt(() => readText("/proc/self/status"));
  const digits = new RegExp(`^${mask}:\\s*([0-9a-f]+)$`, "m")
    .exec(status ?? "")?.[1];
  if (digits === undefined) return undefined;
  return (BigInt(`0x${digits}`) >> BITS[signal] & 1n) === 1n;
}

/**
 * How long Deno takes at most, in milliseconds, to catch the signals itself. It
 * does so half a second after its event loop has begun to run.
 */
const CATCH_MS = 1_000;

/** The longest time between two looks whether it does, in milliseconds. */
const MAX_CATCH_MS = 60_000;

/**
 * Whether a listener would end this process sooner than the system does. The
 * kernel delivers to the first process of a pid namespace only what that
 * catches, so at first no signal ends it, until Deno catches some itself.
 */
let isTooEarly = isDeno && Deno.pid === 1;

/** Waits without keeping the program from ending. */
function sleepUnnoticed(ms: number): Promise<void> {
  return new Promise((resolve) => Deno.unrefTimer(setTimeout(resolve, ms)));
}

async function waitForDeno(readText: ReadText): Promise<void> {
  await sleepUnnoticed(CATCH_MS);
  let ms = 50;
  while (isInMask("SigCgt", "SIGTERM", readText) === false) {
    await sleepUnnoticed(ms);
    ms = Math.min(2 * ms, MAX_CATCH_MS);
  }
  isTooEarly = false;
}

let untilCaught: Promise<void> | undefined;

/**
 * Waits until listeners change nothing about how signals end this process, as
 * they do on Deno at first where it is the first process of a container.
 *
 * @returns `undefined` if there is nothing to wait for.
 */
export function notTooEarly(readText: ReadText): Promise<void> | undefined {
  if (!isTooEarly) return undefined;
  return untilCaught ??= waitForDeno(readText);
}

/**
 * Whether a child that Deno may start dies of a signal that is sent to it. A
 * child ignores what its parent was started to ignore.
 */
async function isIgnoredByChild(signal: EndingSignal): Promise<boolean> {
  // Thousands of pipes that cannot be made take milliseconds, in which the
  // signal arrives.
  const child = new Deno.Command("mkfifo", {
    args: new Array(5_000).fill("/"),
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  attempt(() => child.kill(signal));
  return (await child.status).signal !== signal;
}

async function isIgnored(
  signal: EndingSignal,
  readText: ReadText,
): Promise<boolean> {
  const known = isInMask("SigIgn", signal, readText);
  if (known !== undefined) return known;
  if (!isDeno) return false;
  try {
    return await isIgnoredByChild(signal);
  } catch {
    // No process may be started now.
    return true;
  }
}

/**
 * The indexes of the signals that end this process unless it listens to them. It
 * may have been started to ignore some, which a listener would change for good,
 * so this must be asked before there are any.
 */
export async function endingIndexes(readText: ReadText): Promise<number[]> {
  if (isTooEarly) return [];
  // By then Deno catches all three, whatever was ignored before.
  if (isDeno && Deno.pid === 1) return [...ENDING_SIGNALS.keys()];
  const ignored = await Promise.all(
    ENDING_SIGNALS.map((signal) => isIgnored(signal, readText)),
  );
  // Deno's first listener to any signal catches all of these, so those that are
  // ignored need one that ignores them.
  for (const [index, signal] of ENDING_SIGNALS.entries()) {
    if (isDeno && ignored[index]) Deno.addSignalListener(signal, ignore);
  }
  return [...ENDING_SIGNALS.keys()].filter((index) => !ignored[index]);
}

/**
 * Listens to a signal.
 *
 * @returns How to stop that.
 */
export function onSignal(
  signal: EndingSignal,
  listener: () => void,
): () => void {
  if (isDeno) {
    Deno.addSignalListener(signal, listener);
    return () => Deno.removeSignalListener(signal, listener);
  }
  process.on(signal, listener);
  return () => process.off(signal, listener);
}

// What looks again when a listener to a signal was removed.
const lookers = new Set<(event: unknown) => void>();
let isTelling = false;

/** Has the lookers look whenever a listener is removed, of which Bun emits no event. */
function tellRemovals(): void {
  const tell = (event: unknown) => {
    for (const look of [...lookers]) look(event);
  };
  process.on("removeListener", tell);
  if (process.versions.bun === undefined) return;
  for (const name of ["off", "removeListener"] as const) {
    const remove = process[name];
    process[name] = function (event: string | symbol, ...rest) {
      const result = Reflect.apply(remove, this, [event, ...rest]);
      tell(event);
      return result;
    };
  }
}

/**
 * Listens to a signal on Node and Bun as long as nobody else does. Libraries that
 * clean up at a signal raise it again only if all of its listeners are theirs.
 *
 * @returns How to stop that.
 */
export function onUnheardSignal(
  signal: EndingSignal,
  listener: () => void,
): () => void {
  const look = (event: unknown) => {
    if (event !== signal) return;
    const all = process.listeners(signal);
    const isThere = all.includes(listener);
    if (all.length === 0) process.on(signal, listener);
    else if (isThere && all.length > 1) process.off(signal, listener);
  };
  const lookLater = (event: unknown, added: unknown) => {
    // A signal that comes meanwhile would get lost if there were no listener.
    if (event === signal && added !== listener) {
      queueMicrotask(() => lookers.has(look) && look(signal));
    }
  };
  if (!isTelling) {
    isTelling = true;
    tellRemovals();
  }
  lookers.add(look);
  process.on("newListener", lookLater);
  look(signal);
  return () => {
    lookers.delete(look);
    process.off("newListener", lookLater);
    process.off(signal, listener);
  };
}

/** How many listeners this program has for a signal, on Node and Bun. */
export function listenerCount(signal: EndingSignal): number {
  return process.listenerCount(signal);
}

/** Sends this process a signal. */
export function raise(signal: EndingSignal): void {
  if (isDeno) Deno.kill(Deno.pid, signal);
  else process.kill(process.pid, signal);
}

type Listen = typeof Deno.addSignalListener;

/** The number of resources that Deno has open in this thread; `undefined` if it does not tell. */
function resourceCount(): number | undefined {
  return attempt(() => {
    const { internal } = Deno as unknown as { internal: symbol };
    const { core } = (Deno as unknown as {
      [key: symbol]: { core: { resources(): Record<string, string> } };
    })[internal];
    return Object.keys(core.resources()).length;
  });
}

/** Whether this thread listens to a signal. The first listener of a signal opens a resource. */
function listens(
  signal: EndingSignal,
  add: Listen,
  remove: Listen,
): boolean | undefined {
  const before = resourceCount();
  if (before === undefined) return undefined;
  add(signal, ignore);
  const after = resourceCount();
  remove(signal, ignore);
  return after === before;
}

/**
 * Tells at once, and whenever it changes, to which of some signals Deno's main
 * thread listens. Replaces Deno's functions for that by some that tell.
 *
 * @param indexes The signals.
 * @returns How to stop that; `undefined` if Deno does not let this be found out.
 */
export function watchListeners(
  indexes: readonly number[],
  tell: (index: number, listens: boolean) => void,
): (() => void) | undefined {
  const { addSignalListener, removeSignalListener } = Deno;
  const probe = (index: number) => {
    const signal = ENDING_SIGNALS[index];
    const result = listens(signal, addSignalListener, removeSignalListener);
    // When in doubt, the program's own listeners decide.
    tell(index, result ?? true);
    return result;
  };
  if (indexes.some((index) => probe(index) === undefined)) {
    return undefined;
  }
  const telling = (change: Listen): Listen => (signal, handler) => {
    const index = ENDING_SIGNALS.indexOf(signal as EndingSignal);
    // Told before: a signal that comes meanwhile must not be raised again.
    if (indexes.includes(index)) tell(index, true);
    try {
      change(signal, handler);
    } finally {
      if (indexes.includes(index)) probe(index);
    }
  };
  const add = telling(addSignalListener);
  const remove = telling(removeSignalListener);
  const isPossible = attempt(() => {
    Deno.addSignalListener = add;
    Deno.removeSignalListener = remove;
    return true;
  });
  if (!isPossible) return undefined;
  return () => {
    if (Deno.addSignalListener === add) {
      Deno.addSignalListener = addSignalListener;
    }
    if (Deno.removeSignalListener === remove) {
      Deno.removeSignalListener = removeSignalListener;
    }
  };
}
