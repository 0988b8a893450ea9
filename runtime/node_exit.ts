/**
 * The end of a program on Node and Bun, in whatever way its own code brings it about.
 *
 * Listens to the end of the process, and in the main thread puts itself before
 * the few functions of `process` by which a program ends without that event.
 *
 * @module
 */

import process from "node:process";
import { isMainThread } from "node:worker_threads";
import { attempt } from "./attempt.ts";

/** What Node and Bun have beside their documented functions. */
interface Internals {
  /** What `process.exit` calls last. Programs replace it to learn of their end. */
  reallyExit: (code?: number) => never;
  /** What Node calls with each uncaught error; says whether the program goes on. */
  _fatalException?: (...args: unknown[]) => boolean;
  removeAllListeners: (...args: unknown[]) => unknown;
}

// What is to be done at the end, in this order.
const ends = new Set<() => void>();

let isListening = false;
let isEnding = false;

/** Does all that is to be done. Later calls find what has changed since. */
function endAll(): void {
  isEnding = true;
  for (const end of ends) attempt(end);
}

/** Comes after the program's own listeners, since these may still count. */
function stayLast(event: string | symbol, listener: () => void): void {
  const isOwn = listener === begin || listener === endAll;
  if (event === "exit" && !isOwn) queueMicrotask(listen);
}

/** An error in a listener for the end skips those after it, but not this one. */
function onError(): void {
  if (isEnding) endAll();
}

/** Comes first, so that it is known where an error ends the others. */
function begin(): void {
  isEnding = true;
}

function listen(): void {
  process.off("newListener", stayLast).on("newListener", stayLast);
  process.off("uncaughtExceptionMonitor", onError)
    .on("uncaughtExceptionMonitor", onError);
  process.off("exit", begin).prependListener("exit", begin);
  process.off("exit", endAll).on("exit", endAll);
}

/**
 * Sees the ends that fire no event, or fire it too early: Node waits for ever for
 * a thread that waits for a reader, and nothing but its release ends that.
 */
function guard(): void {
  const internals = process as unknown as Internals;
  const { reallyExit, _fatalException, removeAllListeners } = internals;
  internals.reallyExit = function (...args) {
    endAll();
    return Reflect.apply(reallyExit, this, args);
  };
  internals.removeAllListeners = function (...args) {
    try {
      return Reflect.apply(removeAllListeners, this, args);
    } finally {
      listen();
    }
  };
  if (_fatalException === undefined) return;
  internals._fatalException = function (...args) {
    let goesOn = false;
    try {
      return goesOn = Reflect.apply(_fatalException, this, args);
    } finally {
      // Not caught and thrown again, which would change what Node prints of it.
      if (!goesOn || isEnding) endAll();
    }
  };
}

/**
 * Calls back when the program ends, unless the kernel ends it. What has counted
 * since is handed over by another call.
 *
 * @returns How to stop that.
 */
export function onNodeExit(end: () => void): () => void {
  if (!isListening) {
    isListening = true;
    listen();
    if (isMainThread) attempt(guard);
  }
  ends.add(end);
  return () => void ends.delete(end);
}
