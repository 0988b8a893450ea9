/**
 * What the main thread does when the program ends: it hands the last values over,
 * and removes what it has in the pipe directory.
 *
 * Touches the pipe directory at the end of the process, and listens to signals.
 *
 * @module
 */

import { handOver, noteLoss, type Target } from "./own_last_values.ts";
import { hasCheckpoint, type OwnFiles, removeSigns } from "./own_files.ts";
import { attempt } from "../runtime/attempt.ts";
import { runtime } from "../runtime/runtime.ts";
import {
  ENDING_SIGNALS,
  endingIndexes,
  type EndingSignal,
  listenerCount,
  onUnheardSignal,
  raise,
} from "../runtime/signals.ts";

/** How long this process may take to die of a signal, in milliseconds. */
const DYING_MS = 300;

/** What serves the pipe, as far as the end of the program concerns it. */
export interface Served {
  /** Removes the pipes. */
  release(): void;
  /** Makes them anew, since the program goes on. */
  resume(): void;
}

/** What the end of the program finds. */
interface Scene {
  readonly target: Target;
  readonly own: OwnFiles;
  /** What serves the pipe, unless it was stopped. */
  served: Served | undefined;
}

let scene: Scene | undefined;

/** Whether there is anything to hand over. */
let hands = true;

let isListening = false;

/**
 * Hands over when the program ends in an orderly way, even if the recorder was
 * stopped before. Of several calls, the last one counts.
 *
 * @param doesCount Whether there is anything to hand over.
 */
export function actAtEnd(
  target: Target,
  own: OwnFiles,
  served: Served,
  doesCount: boolean,
): void {
  scene = { target, own, served };
  hands = doesCount;
  if (isListening) return;
  isListening = true;
  runtime.onExit(() => void end(true), () => {
    const path = end(false);
    // If the event loop runs again, the program has caught the error.
    setTimeout(() => goOn(path));
  });
}

/** Notes what serves the pipe now. */
export function setServed(served: Served | undefined): void {
  if (scene !== undefined) scene.served = served;
}

/**
 * Leaves the directory.
 *
 * @param isFinal Whether the process ends for sure. Otherwise it stays alive for
 * readers until the system knows that it is dead.
 * @returns The path of the last values.
 */
function end(isFinal: boolean): string | undefined {
  if (scene === undefined) return undefined;
  const { target, own, served } = scene;
  // Before the pipe goes, so that a reader finds one of the two.
  const { path, isSettled } = hands
    ? handOver(target, isFinal, own.control.isFull)
    : { path: undefined, isSettled: true };
  served?.release();
  if (!isFinal) return path;
  // The pipes have gone, and this may be called again for what was counted since.
  scene.served = undefined;
  // What could not be written counts as if this process had been killed.
  if (isSettled || (!hasCheckpoint(own) && noteLoss(target))) removeSigns(own);
  return path;
}

/** Takes back that the process has ended. */
function goOn(path: string | undefined): void {
  if (path !== undefined) attempt(() => runtime.remove(path));
  scene?.served?.resume();
}

/** Hands over at signals that nobody else listens to, on Node and Bun. */
export async function actAtSignals(): Promise<void> {
  const indexes = await endingIndexes((path) => runtime.self.readText(path));
  for (const index of indexes) listenTo(ENDING_SIGNALS[index]);
}

function listenTo(signal: EndingSignal): void {
  const stop = onUnheardSignal(signal, () => {
    // The program's own listeners decide what becomes of it.
    if (listenerCount(signal) > 1) return;
    // Not final: the kernel lets no signal end the first process of a container.
    const path = end(false);
    stop();
    raise(signal);
    setTimeout(() => {
      goOn(path);
      listenTo(signal);
    }, DYING_MS);
  });
}
