/**
 * Asks the services over and over, and checks every answer.
 *
 * Touches sockets.
 *
 * @module
 */

import { fromJson, fromText, Violation } from "./answer.ts";
import type { Answer, Service } from "./service.ts";
import { sleep, type World } from "./world.ts";

/** How long an answer may take, in milliseconds: the deadline, and 50 more. */
const LATEST_MS = 300;

/** An answer that was faster than this, in milliseconds, has waited for nobody. */
const QUICK_MS = 245;

const tookOf = ({ asked, came }: Answer) => came - asked;

/** What the services of a world have answered. */
export class Polls {
  readonly #world: World;
  readonly #overdue: Answer[] = [];
  readonly #controls: Answer[] = [];
  /** The services whose last answer has waited for somebody, of whom it may hear in the next one what was true before. */
  readonly #waiting: Set<Service> = new Set();
  #unexplainedSilence = 0;

  constructor(world: World) {
    this.#world = world;
  }

  /** Begins to ask the services, and the control. */
  start(): void {
    const world = this.#world;
    world.guard(this.#askControl());
    for (const service of world.services) world.guard(this.#poll(service));
  }

  async #askControl(): Promise<void> {
    const controls = this.#controls;
    while (!this.#world.isOver) {
      controls.push((await this.#world.control.ask(""))!);
      if (this.#overdue.length === 0 && controls.length > 1000) {
        controls.splice(0, 500);
      }
      await sleep(10);
    }
  }

  async #poll(service: Service): Promise<void> {
    const world = this.#world;
    while (!world.isOver && world.violation === undefined) {
      await sleep(world.pauses.whole(0, 40));
      if (service.isUp && !world.isPaused) await this.ask(service);
    }
  }

  /** Asks a service, and checks the answer. */
  async ask(service: Service, only?: "text"): Promise<void> {
    const { book, pauses, counts, place } = this.#world;
    const what = only ?? pauses.weighted({ text: 5, json: 4, processes: 1 });
    const before = book.before(performance.now());
    const answer = await service.ask(
      what === "processes" ? what : `stats?format=${what}`,
    );
    if (answer === undefined) return;
    counts.answers++;
    const took = tookOf(answer);
    if (took > LATEST_MS) this.#overdue.push(answer);
    const wasWaiting = this.#waiting.has(service);
    const isQuick = took < QUICK_MS && !wasWaiting;
    if (took < QUICK_MS) this.#waiting.delete(service);
    else this.#waiting.add(service);
    try {
      if (what === "processes") this.#checkProcesses(answer);
      else if (what === "text") {
        const silent = isQuick ? 0 : Infinity;
        book.check(service.account, fromText(answer.text), before, silent);
      } else {
        const { stats, processes } = JSON.parse(answer.text);
        this.#checkStates(processes, answer, isQuick);
        const silent = wasWaiting ? Infinity : processes.timeout;
        book.check(service.account, fromJson(stats), before, silent);
      }
    } catch (error) {
      this.#world.note(
        `${service.name} has answered after ${took.toFixed()} ms`,
      );
      if (error instanceof Violation) {
        Deno.writeTextFileSync(`${place}/answer`, answer.text);
        error.message += ` (${service.name}, ${what})`;
      }
      throw error;
    }
  }

  #checkStates(
    states: { invalid: number; timeout: number },
    answer: Answer,
    isQuick: boolean,
  ): void {
    if (states.invalid > 0) {
      throw new Violation("a process says something that is no snapshot");
    }
    if (states.timeout > 0 && isQuick) {
      throw new Violation(
        `${states.timeout} processes were given up after ${tookOf(answer)} ms`,
      );
    }
    this.#unexplainedSilence += Math.max(
      0,
      states.timeout - this.#world.troubled(answer.asked),
    );
  }

  #checkProcesses({ text }: Answer): void {
    for (const { pid, state, error } of JSON.parse(text).processes) {
      if (!this.#world.pids.has(pid)) {
        throw new Violation(`nobody has started process ${pid}`);
      }
      if (state === "invalid") {
        throw new Violation(`process ${pid} says something else: ${error}`);
      }
    }
  }

  /**
   * By how much an answer was later than the machine explains: it has taken the
   * processor from the service, and time from a service that does nothing.
   */
  #excess(answer: Answer): number {
    const meanwhile = this.#controls.filter(({ asked, came }) =>
      came >= answer.asked && asked <= answer.came
    );
    return tookOf(answer) - LATEST_MS - answer.waited -
      Math.max(0, ...meanwhile.map(tookOf));
  }

  /** Says how late answers were. More than one in a hundred must not have been. */
  summary(): string {
    const { answers, shared, readers } = this.#world.counts;
    const late = this.#overdue.map((answer) => this.#excess(answer))
      .filter((ms) => ms > 0);
    if (late.length > answers / 100) {
      throw new Violation(
        `${late.length} of ${answers} answers were late, the worst by ${
          Math.max(...late).toFixed()
        } ms more than the machine explains`,
      );
    }
    return `${this.#overdue.length} answers were late, ${late.length} of them by more than the machine explains; ` +
      `${this.#unexplainedSilence} processes gave no answer without a reason; ` +
      `${shared} of ${readers} plain readers got no whole text`;
  }
}
